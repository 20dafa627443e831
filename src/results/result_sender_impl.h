// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a ResultSender is inside. In three files: result_sender.cpp sends results,
// result_sender_channel.cpp takes the channel and listens to it and its peer, result_sender_end.cpp
// has the worker and how everything ends.

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "core/result_state.h"
#include "core/result_window.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "results/result_maker.h"
#include "results/result_sender.h"
#include "webrtc/channel_getters.h"
#include "webrtc/peer_watch.h"

namespace webrtcupload {

// Shared by the sender, its worker and the handlers of signals, of which each may be the last to
// leave.
class ResultSender::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(ResultSettings settings, ResultEvents events)
      : settings_(std::move(settings)),
        events_(std::move(events)),
        window_(settings_.realtime ? 0 : settings_.ack_window),
        trust_(initial_trust()),
        data_output_(settings_.data_output),
        maker_(settings_.output_name, settings_.declared_fps, settings_.jpeg_quality,
               settings_.pts_from_first) {}

  void start() EXCLUDES(mutex_);
  void stop() EXCLUDES(mutex_);
  void attach(GstElement* webrtcbin) EXCLUDES(mutex_);
  void detach(const GstElement* webrtcbin) EXCLUDES(mutex_);
  bool adopt(GstWebRTCDataChannel* channel) EXCLUDES(mutex_);

  bool send_frame(GstBuffer* frame, StreamTime time, const GstVideoInfo& info,
                  const std::vector<Detection>& detections);
  bool send_value(StreamTime time, std::string_view name, ValueKind kind, std::string_view value,
                  std::string* problem);
  void set_data_output(std::vector<std::string> names);
  void set_sha256(std::string sha256);
  void set_flushing(bool flushing);
  void finish(std::string reason, std::vector<std::string> errors);
  void hurry();
  void cancel(std::string reason, std::vector<std::string> errors,
              std::chrono::milliseconds patience, bool abandon);
  bool has_channel() const;
  // False if it is too late for that.
  bool forget_peer() EXCLUDES(mutex_);
  ResultStats stats() const;

 private:
  using Closure = std::weak_ptr<Impl>;
  using Clock = std::chrono::steady_clock;
  enum class Turn { kSend, kDrop, kStop };
  // Whether the peer is who its session description said.
  enum class Trust { kUnchecked, kTrusted, kUntrusted };
  // How little time the end is given. More haste is never taken back.
  enum class Haste {
    kNone,
    kHurried,    // The peer has a moment to read the end.
    kCancelled,  // cancel() does what is left, and the worker no more.
    kStopping,   // Nobody does.
  };

  // Handlers; the first four on the pc thread with the PC lock held.
  void on_data_channel(GstWebRTCDataChannel* channel) EXCLUDES(mutex_);
  void on_text(const char* text) EXCLUDES(mutex_);
  void on_binary() EXCLUDES(mutex_);
  void on_channel_state(GstWebRTCDataChannel* channel) EXCLUDES(mutex_);
  void on_gone(const std::string& why, bool connection) EXCLUDES(mutex_);
  void leaves(const std::string& why, bool connection) REQUIRES(mutex_);
  void on_buffered() EXCLUDES(mutex_);

  // The streaming thread's.
  template <typename MakeText>
  bool send_result(VideoMetadata metadata, const MakeText& make_text) EXCLUDES(mutex_);

  // For the log.
  const char* name() const { return settings_.name.c_str(); }

  bool has_room() const REQUIRES(mutex_);
  bool is_ending() const REQUIRES(mutex_) { return state_ != ResultState::kSending; }
  bool is_cancelled() const REQUIRES(mutex_) { return haste_ >= Haste::kCancelled; }
  bool is_gone() const REQUIRES(mutex_) { return peer_ >= ResultPeer::kGone; }
  Trust initial_trust() const {
    return settings_.check_certificate ? Trust::kUnchecked : Trust::kTrusted;
  }
  // That is so until the worker has come to it.
  bool awaits_check() const REQUIRES(mutex_) {
    return trust_ == Trust::kUnchecked && channel_ && peer_ != ResultPeer::kAwaited;
  }
  bool is_disconnected() const REQUIRES(mutex_) { return peer_ == ResultPeer::kDisconnected; }
  // Whether it did: nothing else happens with an event that comes too late.
  bool advance(ResultEvent event) REQUIRES(mutex_);
  bool advance(ResultPeerEvent event) REQUIRES(mutex_);
  void hasten(Haste haste) REQUIRES(mutex_) { haste_ = std::max(haste_, haste); }
  // Whether the channel has ever been open.
  bool has_opened() const REQUIRES(mutex_) {
    return channel_ && ready_state(channel_.get()) != GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
  }
  // On both sides.
  bool is_closed() const REQUIRES(mutex_) {
    return channel_ && ready_state(channel_.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
  }
  bool is_drained() const REQUIRES(mutex_) {
    return !channel_ || buffered_amount(channel_.get()) == 0;
  }
  bool has_acked_all() const REQUIRES(mutex_) {
    return window_.acked() && *window_.acked() >= last_result_;
  }
  void count_messages(std::string_view text) REQUIRES(mutex_);
  // All messages of one result, one after the other. Whether the channel took them. By whoever has
  // set `sending_`, which keeps the channel.
  bool send_text(GstWebRTCDataChannel* channel, std::uint32_t frame_id, std::string_view text)
      EXCLUDES(mutex_);
  bool send_completion() REQUIRES(mutex_);
  // Without the mutex meanwhile.
  void close() REQUIRES(mutex_);

  // The worker's.
  void run() EXCLUDES(mutex_);
  void tell_gone() REQUIRES(mutex_);
  void tell_finished(const Delivery& delivery) REQUIRES(mutex_);
  void look_at_shutdown() REQUIRES(mutex_);
  // cancel() asks as well.
  bool is_shutting_down() REQUIRES(mutex_);
  // Before a message leaves, or one of the peer's counts: who the peer is. Waits for webrtcbin's PC
  // lock, without the mutex.
  void check_peer() REQUIRES(mutex_);
  // A webrtcbin that is finalised tells nobody. So whoever waits while there is a channel looks
  // again and again whether its webrtcbin has gone; what a look finds is the peer's end.
  void await_work() REQUIRES(mutex_);
  template <typename Condition>
  bool await(Clock::time_point until, Condition condition) REQUIRES(mutex_);
  void look_at_owner() REQUIRES(mutex_);
  void hand_on_control() REQUIRES(mutex_);
  std::optional<Delivery> conclude() REQUIRES(mutex_);
  std::string deliver_the_rest() REQUIRES(mutex_);
  void await_reader() REQUIRES(mutex_);

  const ResultSettings settings_;
  const ResultEvents events_;

  // Only the channel's own lock is taken with this one held, by its getters, which call nobody.
  mutable Mutex mutex_;
  // For whoever waits for the channel: the streaming thread, the worker at the end, cancel().
  ConditionVariable changed_;
  // For the worker: something to do.
  ConditionVariable work_;

  GstPtr<GstElement> webrtcbin_ GUARDED_BY(mutex_);
  // It was there, and has been let go of: the channel cannot be used.
  bool detached_ GUARDED_BY(mutex_) = false;
  // The same from the first result on, and as long as somebody is sending.
  GstPtr<GstWebRTCDataChannel> channel_ GUARDED_BY(mutex_);
  ResultPeer peer_ GUARDED_BY(mutex_) = ResultPeer::kAwaited;
  std::string why_gone_ GUARDED_BY(mutex_);
  std::optional<Error> gone_to_tell_ GUARDED_BY(mutex_);
  // Not before that.
  Clock::time_point next_tell_gone_ GUARDED_BY(mutex_);
  // From cancel() on, while the shutdown that it was called for may still come to nothing.
  std::optional<Clock::time_point> next_look_at_shutdown_ GUARDED_BY(mutex_);
  bool finished_told_ GUARDED_BY(mutex_) = false;
  ResultWindow window_ GUARDED_BY(mutex_);
  Trust trust_ GUARDED_BY(mutex_);
  std::deque<std::string> control_ GUARDED_BY(mutex_);
  std::vector<std::string> data_output_ GUARDED_BY(mutex_);
  bool flushing_ GUARDED_BY(mutex_) = false;
  // Somebody is handing messages to the channel, or about to.
  bool sending_ GUARDED_BY(mutex_) = false;
  std::optional<Clock::time_point> channel_deadline_ GUARDED_BY(mutex_);
  ResultState state_ GUARDED_BY(mutex_) = ResultState::kSending;
  Haste haste_ GUARDED_BY(mutex_) = Haste::kNone;
  // The last that was sent; known with the completion.
  std::uint32_t last_result_ GUARDED_BY(mutex_) = 0;
  std::string termination_reason_ GUARDED_BY(mutex_);
  std::vector<std::string> final_errors_ GUARDED_BY(mutex_);
  std::string sha256_ GUARDED_BY(mutex_);
  std::uint32_t frame_id_ GUARDED_BY(mutex_) = 0;
  ResultStats stats_ GUARDED_BY(mutex_);
  std::vector<SignalConnection> connections_ GUARDED_BY(mutex_);
  std::unique_ptr<PeerWatch> channel_watch_ GUARDED_BY(mutex_);
  std::unique_ptr<PeerWatch> connection_watch_ GUARDED_BY(mutex_);

  // The streaming thread's.
  ResultMaker maker_;

  std::thread worker_;
  ConditionVariable worker_left_;
  bool worker_running_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
