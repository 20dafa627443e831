// SPDX-License-Identifier: LGPL-2.1-or-later
//
// By which way a session's results reach its client: sent by the session, one for each frame that
// leaves the operator's pipeline, or by a webrtcresultsink that the operator has put into it.

#pragma once

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "tool/common/session_types.h"
#include "tool/session/frame_observer.h"

namespace webrtcupload {

class SessionResults {
 public:
  struct Events {
    // The client's control messages, JSON objects.
    std::function<void(const std::string& json)> control;
    // Everything is delivered, or will not be. `all` is whether every frame had its result.
    std::function<void(bool all)> finished;
  };

  // Sent by the session. Events come on any thread. `has_track`: the client has a video track to
  // compare their times with.
  static std::unique_ptr<SessionResults> of_frames(const SessionConfig& config,
                                                   GstElement* webrtcbin, bool has_track,
                                                   Events events);
  // Sent by `sink`, an element of the operator's pipeline that has not started yet.
  static std::unique_ptr<SessionResults> of_sink(GstElement* sink, const SessionConfig& config,
                                                 GstElement* webrtcbin, bool has_track,
                                                 Events events);

  virtual ~SessionResults() = default;

  // The client's connection is lost.
  virtual void detach(GstElement* webrtcbin) = 0;
  // They go over this channel of another connection from now on. False: it is too late for that.
  [[nodiscard]] virtual bool move(GstElement* webrtcbin, GstWebRTCDataChannel* channel) = 0;

  // On the streaming thread; may wait.
  virtual void on_frame(const FrameObserver::Frame& frame) = 0;
  // The outputs in each result from now on. Any thread.
  virtual void set_data_output(std::vector<std::string> names) = 0;
  // Of the whole file, once it is known. Any thread.
  virtual void set_sha256(const std::string& sha256) = 0;
  // Whether the client has opened its channel for results.
  [[nodiscard]] virtual bool has_channel() const = 0;
  // How many messages have been sent.
  [[nodiscard]] virtual std::uint64_t messages() const = 0;
  // The last word; on_frame() waits no longer. `finished` follows. The pipeline has to stay until
  // then if needs_pipeline().
  virtual void finish(const std::string& termination_reason, std::vector<std::string> errors) = 0;
  [[nodiscard]] virtual bool needs_pipeline() const = 0;
  // Whether the last word has been said, or is about to be, which a sink does by itself when the
  // pipeline ends.
  [[nodiscard]] virtual bool is_ending() const = 0;
  // After finish(): the client has only a moment to read it.
  virtual void hurry() = 0;
  // The client is gone: on_frame() waits no longer, and nothing is sent.
  virtual void abandon() = 0;
};

}  // namespace webrtcupload
