// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/result_sender.h"

#include <algorithm>
#include <utility>

#include "core/result_framing.h"
#include "glib/debug.h"
#include "json/json_text.h"
#include "results/result_document.h"
#include "results/result_sender_impl.h"
#include "webrtc/channel_claim.h"
#include "webrtc/channel_sending.h"

#define GST_CAT_DEFAULT webrtcupload::debug::results()

namespace webrtcupload {
namespace {

// For a handler of the application's that runs while everything ends.
constexpr std::chrono::milliseconds kHandlerPatience{200};

}  // namespace

void ResultSender::Impl::start() {
  {
    const MutexLock lock(mutex_);
    worker_running_ = true;
  }
  worker_ = std::thread([self = shared_from_this()] {
    self->run();
    const MutexLock lock(self->mutex_);
    self->worker_running_ = false;
    self->worker_left_.notify_all();
  });
}

void ResultSender::Impl::stop() {
  std::vector<SignalConnection> connections;
  std::unique_ptr<PeerWatch> channel_watch;
  std::unique_ptr<PeerWatch> connection_watch;
  GstPtr<GstElement> webrtcbin;
  GstPtr<GstWebRTCDataChannel> channel;
  {
    const MutexLock lock(mutex_);
    if (haste_ == Haste::kStopping) return;
    hasten(Haste::kStopping);
    advance(ResultEvent::kFinish);
    connections = std::move(connections_);
    channel_watch = std::move(channel_watch_);
    connection_watch = std::move(connection_watch_);
    webrtcbin = ref_gst(webrtcbin_.get());
    channel = ref_gst(channel_.get());
    changed_.notify_all();
    work_.notify_all();
  }
  if (channel) release_channel(channel.get(), this);
  if (worker_.get_id() == std::this_thread::get_id()) {
    worker_.detach();
    return;
  }
  MutexLock lock(mutex_);
  // In a handler it may be waiting for this very thread.
  const bool left = worker_left_.wait_for(mutex_, kHandlerPatience,
                                          [this]() REQUIRES(mutex_) { return !worker_running_; });
  lock.unlock();
  if (left) {
    worker_.join();
  } else {
    worker_.detach();
  }
}

bool ResultSender::Impl::send_frame(GstBuffer* frame, StreamTime time, const GstVideoInfo& info,
                                    const std::vector<Detection>& detections) {
  return send_result(maker_.arrived(time),
                     [&](const VideoMetadata& metadata, const ResultMaker::Names& wanted) {
                       return maker_.of_frame(metadata, frame, info, detections, wanted);
                     });
}

bool ResultSender::Impl::send_value(StreamTime time, std::string_view name, ValueKind kind,
                                    std::string_view value, std::string* problem) {
  std::string quoted;
  if (kind == ValueKind::kText) {
    append_json_string(quoted, value);
    value = quoted;
  } else if (!g_utf8_validate(value.data(), static_cast<gssize>(value.size()), nullptr) ||
             !is_json_value(value)) {
    // It must not be able to break the message that it would become part of.
    if (problem) *problem = "its " + std::to_string(value.size()) + " bytes are not one JSON value";
    return false;
  }
  return send_result(maker_.arrived(time),
                     [&](const VideoMetadata& metadata, const ResultMaker::Names& wanted) {
                       return maker_.of_value(metadata, name, value, wanted);
                     });
}

// Waits for its turn, and keeps the order with what the worker and cancel() have to send.
template <typename MakeText>
bool ResultSender::Impl::send_result(VideoMetadata metadata, const MakeText& make_text) {
  MutexLock lock(mutex_);
  const auto turn = [&]() REQUIRES(mutex_) {
    if (is_ending()) return Turn::kStop;
    metadata.frame_id = ++frame_id_;
    stats_.last_frame_id = frame_id_;
    for (;;) {
      if (is_ending() || flushing_ || is_gone()) return Turn::kStop;
      if (peer_ == ResultPeer::kOpen) {
        const bool is_checked = !awaits_check();
        if (is_checked && has_room()) return Turn::kSend;
        if (is_checked && settings_.realtime) return Turn::kDrop;
        changed_.wait(mutex_);
        continue;
      }
      // In real time as well: it is the beginning of a file, and nothing is late yet.
      const auto now = Clock::now();
      if (!channel_deadline_) {
        GST_DEBUG_ID(name(), "the first result waits for the channel, %d ms at most",
                     static_cast<int>(settings_.channel_timeout.count()));
        channel_deadline_ = now + settings_.channel_timeout;
      }
      if (now >= *channel_deadline_) return Turn::kDrop;
      changed_.wait_until(mutex_, *channel_deadline_);
    }
  }();
  if (turn != Turn::kSend) {
    GST_DEBUG_ID(name(), "result %u dropped: %s", guint{frame_id_},
                 turn == Turn::kStop             ? "no more is sent"
                 : peer_ == ResultPeer::kAwaited ? "there is no channel"
                                                 : "the peer is behind");
    ++stats_.dropped;
    return turn == Turn::kDrop;
  }
  sending_ = true;
  window_.sent(metadata.frame_id);
  const ResultMaker::Names wanted = data_output_;
  GstWebRTCDataChannel* const channel = channel_.get();
  lock.unlock();
  const std::string text = make_text(metadata, wanted);
  const bool sent = send_text(channel, metadata.frame_id, text);
  const std::uint64_t buffered = buffered_amount(channel);
  GST_LOG_ID(name(), "result %u of %" G_GSIZE_FORMAT " bytes %s", guint{metadata.frame_id},
             text.size(), sent ? "sent" : "was not taken by the channel");
  lock.lock();
  sending_ = false;
  if (sent) {
    ++stats_.sent;
    count_messages(text);
  } else {
    ++stats_.dropped;
  }
  stats_.buffered_peak = std::max(stats_.buffered_peak, buffered);
  changed_.notify_all();
  return sent;
}

bool ResultSender::Impl::send_text(GstWebRTCDataChannel* channel, std::uint32_t frame_id,
                                   std::string_view text) {
  const std::uint32_t count = result_chunk_count(text.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (send_on(channel, result_message(frame_id, i, text))) continue;
    // Of which the channel itself says nothing.
    const MutexLock lock(mutex_);
    look_at_owner();
    return false;
  }
  return true;
}

bool ResultSender::Impl::has_room() const {
  if (!window_.may_send()) return false;
  const std::uint64_t buffered = buffered_amount(channel_.get());
  return buffered == 0 || buffered < settings_.buffer_limit;
}

void ResultSender::Impl::set_data_output(std::vector<std::string> names) {
  GST_DEBUG_ID(name(), "%u outputs are wanted from the next result on",
               static_cast<guint>(names.size()));
  const MutexLock lock(mutex_);
  data_output_ = std::move(names);
}

void ResultSender::Impl::set_sha256(std::string sha256) {
  const MutexLock lock(mutex_);
  sha256_ = std::move(sha256);
}

void ResultSender::Impl::set_flushing(bool flushing) {
  const MutexLock lock(mutex_);
  flushing_ = flushing;
  changed_.notify_all();
}

void ResultSender::Impl::count_messages(std::string_view text) {
  const std::uint32_t count = result_chunk_count(text.size());
  stats_.messages += count;
  stats_.bytes += text.size() + count * kResultHeaderSize;
}

bool ResultSender::Impl::has_channel() const {
  const MutexLock lock(mutex_);
  return channel_ != nullptr;
}

ResultStats ResultSender::Impl::stats() const {
  const MutexLock lock(mutex_);
  ResultStats stats = stats_;
  stats.ending = is_ending();
  if (channel_) stats.buffered = buffered_amount(channel_.get());
  return stats;
}

std::shared_ptr<ResultSender> ResultSender::create(ResultSettings settings, ResultEvents events) {
  auto impl = std::make_shared<Impl>(std::move(settings), std::move(events));
  impl->start();
  return std::shared_ptr<ResultSender>(new ResultSender(std::move(impl)));
}

ResultSender::ResultSender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ResultSender::~ResultSender() { impl_->stop(); }
void ResultSender::stop() { impl_->stop(); }

void ResultSender::attach(GstElement* webrtcbin) { impl_->attach(webrtcbin); }
void ResultSender::detach(const GstElement* webrtcbin) { impl_->detach(webrtcbin); }
bool ResultSender::adopt(GstWebRTCDataChannel* channel) { return impl_->adopt(channel); }

bool ResultSender::send_frame(GstBuffer* frame, StreamTime time, const GstVideoInfo& info,
                              const std::vector<Detection>& detections) {
  return impl_->send_frame(frame, time, info, detections);
}

bool ResultSender::send_value(StreamTime time, std::string_view output_name, ValueKind kind,
                              std::string_view value, std::string* problem) {
  return impl_->send_value(time, output_name, kind, value, problem);
}

void ResultSender::set_data_output(std::vector<std::string> names) {
  impl_->set_data_output(std::move(names));
}

void ResultSender::set_sha256(std::string sha256) { impl_->set_sha256(std::move(sha256)); }

void ResultSender::set_flushing(bool flushing) { impl_->set_flushing(flushing); }

void ResultSender::finish(std::string termination_reason, std::vector<std::string> errors) {
  impl_->finish(std::move(termination_reason), std::move(errors));
}

void ResultSender::hurry() { impl_->hurry(); }

void ResultSender::cancel(std::string termination_reason, std::vector<std::string> errors,
                          std::chrono::milliseconds patience, bool abandon) {
  impl_->cancel(std::move(termination_reason), std::move(errors), patience, abandon);
}

bool ResultSender::has_channel() const { return impl_->has_channel(); }

ResultStats ResultSender::stats() const { return impl_->stats(); }

}  // namespace webrtcupload
