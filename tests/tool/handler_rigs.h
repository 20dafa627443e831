// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pipeline for each element that tells an application something, with a peer that makes it do so.

#pragma once

#include <gst/gst.h>

#include <memory>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload::test {

// What makes an element tell something.
enum class Cause {
  kStart,       // The pipeline plays.
  kPeer,        // And there is a peer,
  kBegin,       // whose upload begins,
  kComplete,    // or is complete; results are delivered.
  kFail,        // Its upload is none.
  kStartAgain,  // After an upload the pipeline is stopped and plays again.
  kControl,     // The peer says something about its results.
  kPeerGoes,
  kPeerIsIdle,  // It does not begin in time.
};

class Rig {
 public:
  explicit Rig(const std::string& description);
  virtual ~Rig() = default;
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // The pipeline is the rig's, until let_go(); the element is in it.
  [[nodiscard]] GstElement* pipeline() const { return pipeline_.get(); }
  [[nodiscard]] GstElement* element() const { return element_; }
  // Whose signals are meant: `element`, or one inside it.
  [[nodiscard]] virtual GstElement* teller() const { return element_; }

  void play();
  virtual void cause(Cause cause) = 0;
  // Of an element that plays, again or for the first time: it does what it is for. With
  // `whole_pipeline` the rest of that too.
  virtual void expect_works(bool whole_pipeline) = 0;

  void let_go() { pipeline_.reset(); }
  // Those on the bus hold the elements that posted them.
  void forget_messages();
  // Stops what there is, and lets everything go.
  virtual void end();

 private:
  GstPtr<GstElement> pipeline_;
  GstElement* element_ = nullptr;
};

using RigMaker = std::shared_ptr<Rig> (*)();
// webrtcupload, webrtcresultsink, each with a channel of its own of one pair of webrtcbins.
std::shared_ptr<Rig> make_upload_rig();
std::shared_ptr<Rig> make_results_rig();
// webrtcuploadserver; the second for what the webrtcupload inside it tells.
std::shared_ptr<Rig> make_server_rig();
std::shared_ptr<Rig> make_server_rig_of_upload();
// Lets go of what rigs share.
void end_rigs();

// The nick of the value that an enumeration property has.
[[nodiscard]] std::string enum_nick(gpointer object, const char* property);

}  // namespace webrtcupload::test
