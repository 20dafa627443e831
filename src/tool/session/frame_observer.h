// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sees every analysed frame of a pipeline and what was found in it, whatever the operator's
// pipeline looks like.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "glib/stream_time.h"
#include "results/detections.h"

namespace webrtcupload {

class FrameObserver : public std::enable_shared_from_this<FrameObserver> {
 public:
  struct Frame {
    std::uint64_t number;  // From 1.
    GstBuffer* buffer;
    // When it is shown.
    StreamTime time;
    GstCaps* caps;
    const GstVideoInfo& info;
    const std::vector<Detection>& detections;
  };
  // On the streaming thread; may block.
  using OnFrame = std::function<void(const Frame&)>;

  // `has_content`: whether there is something in the file, asked on a streaming thread.
  FrameObserver(OnFrame on_frame, std::function<bool()> has_content)
      : on_frame_(std::move(on_frame)), has_content_(std::move(has_content)) {}

  // Before the pipeline starts. Looks at the last pad before each sink that carries raw video;
  // whichever shows a frame first is the one that is followed.
  void attach(GstElement* pipeline);
  // From the bus' sync handler.
  void add_message(GstMessage* message) { detections_.add_message(message); }

  // Any thread.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  // Everything that reached a sink, frame or not. The end of a pipeline in which nothing did,
  // though the file has content, is an error, posted on its bus in the place of the EOS.
  [[nodiscard]] std::uint64_t buffers() const { return buffers_; }
  // From now on frames pass unseen.
  void stop() { stopped_ = true; }

 private:
  void watch(GstPad* pad);
  void count(GstElement* sink);
  [[nodiscard]] GstPadProbeReturn on_sink_data(GstPad* pad, GstPadProbeInfo* info);
  void on_buffer(GstPad* pad, GstBuffer* buffer);

  const OnFrame on_frame_;
  const std::function<bool()> has_content_;
  DetectionCollector detections_;
  std::atomic<GstPad*> followed_ = nullptr;  // Never dereferenced.
  std::atomic<std::uint64_t> frames_ = 0;
  std::atomic<std::uint64_t> buffers_ = 0;
  // Sinks whose end has not come.
  std::atomic<int> open_sinks_ = 0;
  std::atomic<bool> stopped_ = false;
};

// The JSON line about a frame for whoever follows the server's output.
[[nodiscard]] std::string frame_line(const std::string& session, const FrameObserver::Frame& frame);

}  // namespace webrtcupload
