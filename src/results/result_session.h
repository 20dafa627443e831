// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a webrtcresultsink does from READY->PAUSED to PAUSED->READY: a ResultSender, and around it
// what an element in a pipeline has besides: buffers, events, the bus.

#pragma once

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/mutex.h"
#include "downstream/exposed_streams.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "results/detections.h"
#include "results/result_sender.h"

namespace webrtcupload {

class ResultSession : public std::enable_shared_from_this<ResultSession> {
 public:
  // `on_control` is told what the peer says, on a thread of the session's.
  [[nodiscard]] static std::shared_ptr<ResultSession> create(
      GstBaseSink* sink, const ResultSettings& settings,
      std::function<void(const std::string& json_text)> on_control);
  ~ResultSession();

  // Before the connection is negotiated; not under the PC lock.
  void attach(GstElement* webrtcbin);
  // The peers of a webrtcuploadserver, one after the other until one uploads.
  void follow(GstElement* server);
  // May be under the PC lock.
  bool adopt(GstWebRTCDataChannel* channel) { return sender_->adopt(channel); }
  // After attach(): listens on the bus of the pipeline for analysers and errors.
  void watch_bus();

  // The streaming thread, with the preroll lock held, which is let go while anything is waited for.
  [[nodiscard]] bool set_caps(GstCaps* caps);
  [[nodiscard]] GstFlowReturn render(GstBuffer* buffer);
  // Sends the completion and waits until it is delivered, or cannot be. False if a flush came
  // first: EOS is not to be told then.
  [[nodiscard]] bool end_of_stream();
  // Any thread, when the pipeline plays again: GStreamer has forgotten in PAUSED whose end has been
  // told, and a webrtcbin does not say it again.
  void let_pipeline_end();
  // The streaming thread, after a flush.
  void flushed();

  // Any thread, with the preroll lock held: looks whether the pad is flushing.
  void interrupt();
  // Any thread.
  void finish(const std::string& termination_reason, const std::string& message);
  void hurry() { sender_->hurry(); }
  void set_data_output(std::vector<std::string> names);
  void set_sha256(std::string sha256) { sender_->set_sha256(std::move(sha256)); }
  [[nodiscard]] GstStructure* stats() const;

  // When the pipeline goes down, before its elements do, if that can be told; again later does no
  // harm. What the peer has not taken within a moment it will not get.
  void cancel();
  // When no streaming thread runs any more: cancel(), and the channel is free for another session,
  // even if a handler of the application's keeps this one for a while.
  void stop();

 private:
  // What the pad carries.
  enum class Content { kNone, kVideo, kText, kJson };

  ResultSession(GstBaseSink* sink, const ResultSettings& settings);
  void on_error(GstMessage* message);
  void on_element_message(GstMessage* message);
  void on_control(const std::string& json_text);
  void on_gone(const Error& why);
  void on_finished(const Delivery& delivery);
  [[nodiscard]] GstFlowReturn render_value(GstBuffer* buffer, StreamTime time, bool& taken);

  // A strong reference, or null when the sink is on its way out. For threads that are not its own.
  [[nodiscard]] GstPtr<GstElement> sink() const;

  // A connection of the followed server's.
  void meet(GstElement* webrtcbin);
  void part_from(GstElement* webrtcbin);

  GstBaseSink* const sink_;  // Alive on the streaming thread and in state changes.
  mutable GWeakRef weak_sink_;
  const ResultSettings settings_;
  std::function<void(const std::string&)> on_control_;
  std::shared_ptr<ResultSender> sender_;
  const std::shared_ptr<ExposedStreams> streams_ = std::make_shared<ExposedStreams>();
  DetectionCollector detections_;
  GstPtr<GstElement> webrtcbin_;
  SignalConnection on_peer_added_;
  SignalConnection on_peer_removed_;
  bool follows_ = false;
  // Of the thread of those signals: the webrtcbin that has been added; never dereferenced.
  const void* followed_ = nullptr;

  // Signals of the outermost bin's bus.
  GstPtr<GstBus> bus_;
  std::vector<SignalConnection> bus_connections_;

  // The streaming thread's.
  Content content_ = Content::kNone;
  GstVideoInfo video_info_{};
  std::string value_problem_;
  // Results were refused, because the peer was gone.
  std::atomic<bool> cut_short_ = false;
  // EOS has been let through.
  std::atomic<bool> ended_ = false;

  // Protects what follows. A leaf.
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  bool finished_ GUARDED_BY(mutex_) = false;
  bool interrupted_ GUARDED_BY(mutex_) = false;
  bool cancelled_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
