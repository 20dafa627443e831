// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtcupload ! appsink`, fed by a PeerPair: what most tests of the receiving element stand on.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>

#include "support/gst_test.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

class ReceivingPipeline {
 public:
  // `properties` of webrtcupload as in a launch line; its webrtcbin is `webrtcbin`. `tail` is what
  // it is linked to; bytes() works with the default.
  explicit ReceivingPipeline(GstElement* webrtcbin, const std::string& properties = "",
                             const std::string& tail = kCollectBytes);
  ~ReceivingPipeline();
  ReceivingPipeline(const ReceivingPipeline&) = delete;
  ReceivingPipeline& operator=(const ReceivingPipeline&) = delete;

  static constexpr char kCollectBytes[] = "fakesink name=sink signal-handoffs=true sync=false";

  [[nodiscard]] GstElement* pipeline() const { return pipeline_.get(); }
  [[nodiscard]] GstElement* upload() const { return upload_.get(); }
  [[nodiscard]] BusLog& bus() { return *bus_; }

  // To PLAYING, without waiting: it gets there only when data comes.
  void play();

  // What has come out of the src pad so far.
  [[nodiscard]] Bytes bytes() const;

  // The nick of the property `state`.
  [[nodiscard]] std::string state() const;
  [[nodiscard]] GstStructurePtr stats() const;
  [[nodiscard]] guint64 stat_u64(const char* field) const;
  [[nodiscard]] guint stat_uint(const char* field) const;

  // The one error that the pipeline posts, waited for. An empty code when none came.
  [[nodiscard]] ErrorText wait_error();
  [[nodiscard]] bool wait_eos();

 private:
  struct Collected {
    std::mutex mutex;
    Bytes bytes;
  };

  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> upload_;
  std::unique_ptr<BusLog> bus_;
  std::shared_ptr<Collected> collected_ = std::make_shared<Collected>();
  SignalConnection on_handoff_;
};

// A pipeline that sends `size` bytes of noise, a multiple of 65,536, to `webrtcbin`'s peer. Its
// webrtcuploadsink is called `sink`.
[[nodiscard]] GstPtr<GstElement> make_noise_sender(GstElement* webrtcbin, guint64 size);

}  // namespace webrtcupload::test
