// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A ResultSender's worker, and how its results end.

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "glib/debug.h"
#include "json/json.h"
#include "results/result_document.h"
#include "results/result_sender_impl.h"
#include "webrtc/channel_owner.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/outgoing.h"

#define GST_CAT_DEFAULT webrtcupload::debug::results()

namespace webrtcupload {
namespace {

// A channel that does not drain at all for so long belongs to a peer that takes nothing any more.
constexpr std::chrono::seconds kDrainPatience{15};
// For the peer to close its side, once it has everything: what SCTP has taken and not delivered yet
// may be some hundred kilobytes, over a slow line.
constexpr std::chrono::seconds kClosePatience{15};
// For a peer that has acknowledged the last result to read the completion behind it. It has kept up
// so far, and some peers acknowledge the completion too.
constexpr std::chrono::milliseconds kCompletionPatience{1000};
// And in all, however often it acknowledges.
constexpr std::chrono::minutes kReaderPatience{5};
constexpr const char* kCancelledForShutdown =
    "the results were cancelled when the pipeline began to shut down";

}  // namespace

bool ResultSender::Impl::advance(ResultEvent event) {
  const auto next = transition(state_, event);
  if (next) {
    state_ = *next;
    GST_INFO_ID(name(), "state %s after %u results", to_string(state_).data(), guint{frame_id_});
  }
  return next.has_value();
}

bool ResultSender::Impl::advance(ResultPeerEvent event) {
  const auto next = transition(peer_, event);
  if (next) {
    peer_ = *next;
    GST_INFO_ID(name(), "peer %s", to_string(peer_).data());
  }
  return next.has_value();
}

void ResultSender::Impl::finish(std::string reason, std::vector<std::string> errors) {
  const MutexLock lock(mutex_);
  if (!advance(ResultEvent::kFinish)) return;
  termination_reason_ = std::move(reason);
  final_errors_ = std::move(errors);
  changed_.notify_all();
  work_.notify_all();
}

void ResultSender::Impl::hurry() {
  GST_DEBUG_ID(name(), "the peer has only a moment to read the end");
  const MutexLock lock(mutex_);
  hasten(Haste::kHurried);
  changed_.notify_all();
}

void ResultSender::Impl::cancel(std::string reason, std::vector<std::string> errors,
                                std::chrono::milliseconds patience, bool abandon) {
  const auto until = Clock::now() + patience;
  GST_DEBUG_ID(name(), "cancelled: %d ms are left%s", static_cast<int>(patience.count()),
               abandon ? ", what has not left by then is dropped" : "");
  MutexLock lock(mutex_);
  if (is_shutting_down()) next_look_at_shutdown_ = Clock::now() + kShutdownInterval;
  if (advance(ResultEvent::kFinish)) {
    termination_reason_ = std::move(reason);
    final_errors_ = std::move(errors);
  }
  hasten(Haste::kCancelled);
  changed_.notify_all();
  work_.notify_all();
  if (!has_opened()) return;
  if (!changed_.wait_until(mutex_, until,
                           [this]() REQUIRES(mutex_) { return !sending_ && !awaits_check(); }))
    return;
  if (!is_gone() && state_ < ResultState::kCompleted) static_cast<void>(send_completion());
  const bool drained =
      changed_.wait_until(mutex_, is_gone() ? Clock::now() : until,
                          [this]() REQUIRES(mutex_) { return is_drained() || is_gone(); }) &&
      is_drained();
  const bool closes = advance(ResultEvent::kClose);
  const GstPtr<GstElement> webrtcbin = ref_gst(webrtcbin_.get());
  if (abandon && webrtcbin && !drained) {
    lock.unlock();
    stop_sending(webrtcbin.get());
  } else if (closes) {
    close();
    lock.unlock();
  }
}

void ResultSender::Impl::close() {
  // What is not trusted has been closed by check_peer(), or is about to be.
  if (detached_ || trust_ == Trust::kUntrusted) return;
  GstPtr<GstElement> webrtcbin = ref_gst(webrtcbin_.get());
  GstWebRTCDataChannel* const channel = channel_.get();
  const MutexUnlock unlocked(mutex_);
  close_channel(channel);
  webrtcbin.reset();
}

// By the worker or cancel(), whoever is first. Whether the channel took it.
bool ResultSender::Impl::send_completion() {
  advance(ResultEvent::kComplete);
  sending_ = true;
  const std::string text = completion_document(termination_reason_, final_errors_, sha256_);
  const std::uint32_t frame_id = frame_id_ + 1;
  GST_DEBUG_ID(name(), "the completion is sent as number %u; reason: \"%s\", %u errors", frame_id,
               termination_reason_.c_str(), static_cast<guint>(final_errors_.size()));
  last_result_ = window_.last_sent();
  window_.sent(frame_id);  // It may be acknowledged like a result.
  GstWebRTCDataChannel* const channel = channel_.get();
  bool sent = false;
  {
    const MutexUnlock unlocked(mutex_);
    sent = send_text(channel, frame_id, text);
  }
  sending_ = false;
  if (sent) count_messages(text);
  changed_.notify_all();
  return sent;
}

void ResultSender::Impl::run() {
  MutexLock lock(mutex_);
  while (haste_ != Haste::kStopping) {
    if (gone_to_tell_ && Clock::now() >= next_tell_gone_) {
      tell_gone();
    } else if (next_look_at_shutdown_ && Clock::now() >= *next_look_at_shutdown_) {
      look_at_shutdown();
    } else if (awaits_check()) {
      check_peer();
    } else if (!is_cancelled() && advance(ResultEvent::kConclude)) {
      const auto delivery = conclude();
      tell_gone();
      if (delivery && !is_cancelled()) tell_finished(*delivery);
    } else if (!control_.empty() && trust_ == Trust::kTrusted) {
      // The least: a peer that never stops talking must not keep the end from coming.
      hand_on_control();
    } else {
      await_work();
    }
  }
}

void ResultSender::Impl::await_work() {
  if (gone_to_tell_) {
    work_.wait_until(mutex_, next_tell_gone_);
  } else if (next_look_at_shutdown_) {
    work_.wait_until(mutex_, *next_look_at_shutdown_);
  } else if (!channel_ || is_gone()) {
    work_.wait(mutex_);
  } else {
    work_.wait_until(mutex_, Clock::now() + kOwnerInterval);
    look_at_owner();
  }
}

// Whether the condition holds, by then or before.
template <typename Condition>
bool ResultSender::Impl::await(Clock::time_point until, Condition condition) {
  for (;;) {
    const auto next_look = std::min(until, Clock::now() + kOwnerInterval);
    if (changed_.wait_until(mutex_, next_look, condition)) return true;
    if (next_look == until) return false;
    look_at_owner();
  }
}

void ResultSender::Impl::look_at_owner() {
  GstPtr<GstWebRTCDataChannel> channel = ref_gst(channel_.get());
  if (!channel) return;
  const bool has_gone = [&]() REQUIRES(mutex_) {
    const MutexUnlock unlocked(mutex_);
    if (!owner_of(channel.get()).has_gone()) return false;
    GST_DEBUG_ID(name(), "the webrtcbin of channel %s has gone",
                 debug::quote(label_of(channel.get())).c_str());
    return true;
  }();
  // Another peer may have taken its place meanwhile.
  if (has_gone && channel_ == channel) leaves(kOwnerHasGone, true);
  const MutexUnlock unlocked(mutex_);
  channel.reset();
}

bool ResultSender::Impl::is_shutting_down() {
  const MutexUnlock unlocked(mutex_);
  return events_.shutting_down && events_.shutting_down();
}

// What was cancelled because of it has no other end when it comes to nothing.
void ResultSender::Impl::look_at_shutdown() {
  if (is_shutting_down()) {
    next_look_at_shutdown_ = Clock::now() + kShutdownInterval;
    return;
  }
  next_look_at_shutdown_.reset();
  if (haste_ == Haste::kStopping) return;
  GST_INFO_ID(name(), "the pipeline did not shut down, for which the results were cancelled");
  if (finished_told_) return;
  tell_finished({.complete = false, .problem = kCancelledForShutdown, .stats = stats_});
}

void ResultSender::Impl::tell_finished(const Delivery& delivery) {
  finished_told_ = true;
  const MutexUnlock unlocked(mutex_);
  if (events_.finished) events_.finished(delivery);
}

void ResultSender::Impl::tell_gone() {
  if (gone_to_tell_ && is_shutting_down()) {
    GST_DEBUG_ID(name(), "the peer's end is not told while the pipeline shuts down");
    next_tell_gone_ = Clock::now() + kShutdownInterval;
    return;
  }
  const auto why = std::exchange(gone_to_tell_, std::nullopt);
  if (!why) return;
  const MutexUnlock unlocked(mutex_);
  GST_INFO_ID(name(), "no more results: %s: %s", to_string(why->code).data(), why->message.c_str());
  if (events_.gone) events_.gone(*why);
}

void ResultSender::Impl::check_peer() {
  GstPtr<GstWebRTCDataChannel> channel = ref_gst(channel_.get());
  GstPtr<GstElement> webrtcbin = ref_gst(webrtcbin_.get());
  PeerTrust trust = PeerTrust::kTrusted;
  {
    const MutexUnlock unlocked(mutex_);
    trust = peer_trust(channel.get(), webrtcbin.get());
    webrtcbin.reset();
  }
  const bool trusted = trust == PeerTrust::kTrusted;
  // Another peer may have taken its place meanwhile.
  const bool is_current = channel_ == channel;
  if (is_current) trust_ = trusted ? Trust::kTrusted : Trust::kUntrusted;
  const bool refuses = is_current && !trusted;
  if (refuses) {
    control_.clear();
    if (trust == PeerTrust::kWebrtcbinHasGone) {
      leaves(kOwnerHasGone, true);
    } else if (advance(ResultPeerEvent::kLeaves)) {
      why_gone_ = to_string(trust);
      gone_to_tell_ = Error{ErrorCode::kUntrustedPeer, why_gone_};
    }
  }
  changed_.notify_all();
  const MutexUnlock unlocked(mutex_);
  if (refuses) {
    GST_WARNING_OBJECT(channel.get(), "nothing is sent over it: %s", to_string(trust));
    // After the above: the channel's end would be taken for the peer's leaving.
    close_channel(channel.get());
  }
  channel.reset();
}

void ResultSender::Impl::hand_on_control() {
  const std::string text = std::move(control_.front());
  control_.pop_front();
  const auto parsed = [&]() REQUIRES(mutex_) {
    const MutexUnlock unlocked(mutex_);
    return parse_json_object(text);
  }();
  GST_LOG_ID(name(), "control message of %" G_GSIZE_FORMAT " bytes", text.size());
  if (!std::holds_alternative<JsonNodePtr>(parsed)) {
    GST_DEBUG_ID(name(), "control message refused: it is no JSON object");
    ++stats_.rejected;
    return;
  }
  JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  // One that says more than that, or says it in another way.
  if (const auto ack = json_integer(object, "ack"); ack && window_.ack(*ack)) {
    stats_.acked = window_.acked();
    changed_.notify_all();
  }
  ++stats_.control;
  if (!events_.control) return;
  const MutexUnlock unlocked(mutex_);
  events_.control(text);
}

// Nothing when cancel() or the end came first.
std::optional<Delivery> ResultSender::Impl::conclude() {
  Delivery delivery;
  delivery.problem = deliver_the_rest();
  if (is_cancelled()) return std::nullopt;
  delivery.complete = delivery.problem.empty();
  GST_INFO_ID(name(), "%u results: %s", guint{frame_id_},
              delivery.complete ? "delivered" : delivery.problem.c_str());
  if (!delivery.complete && has_opened() && advance(ResultEvent::kClose)) {
    // So that the peer notices, if it is still there.
    close();
  }
  delivery.stats = stats_;
  return delivery;
}

// What went wrong, or "".
std::string ResultSender::Impl::deliver_the_rest() {
  if (!channel_deadline_) channel_deadline_ = Clock::now() + settings_.channel_timeout;
  if (peer_ == ResultPeer::kAwaited) {
    GST_DEBUG_ID(name(), "the end waits for the channel, until channel-timeout has passed");
  }
  await(*channel_deadline_,
        [this]() REQUIRES(mutex_) { return peer_ != ResultPeer::kAwaited || is_cancelled(); });
  if (is_cancelled()) return "cancelled";
  if (is_gone()) return why_gone_;
  if (peer_ == ResultPeer::kAwaited)
    return "the peer has opened no channel \"" + settings_.channel_label + "\"";
  if (awaits_check()) check_peer();
  if (is_gone()) return why_gone_;

  changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return !sending_ || is_cancelled(); });
  if (is_cancelled() || state_ >= ResultState::kCompleted) return "cancelled";
  if (!send_completion()) return is_gone() ? why_gone_ : "the channel takes no message";

  for (std::uint64_t left = buffered_amount(channel_.get()); left > 0;) {
    const bool better = await(Clock::now() + kDrainPatience, [&]() REQUIRES(mutex_) {
      return buffered_amount(channel_.get()) < left || is_gone() || is_cancelled();
    });
    if (is_cancelled()) return "cancelled";
    left = buffered_amount(channel_.get());
    // A peer that has it all may have closed the channel by now.
    if (left > 0 && is_gone()) return why_gone_;
    if (left > 0 && !better) return "the peer does not take what is sent";
  }
  await_reader();
  if (is_cancelled()) return "cancelled";
  // Who has acknowledged the last result has all of them, and may end its connection.
  if (is_disconnected()) return has_acked_all() ? "" : why_gone_;
  if (advance(ResultEvent::kClose)) {
    GST_DEBUG_ID(name(), "the channel is closed here; the peer has %d s to close its side",
                 static_cast<int>(kClosePatience.count()));
    close();
  }
  // SCTP lets a peer close its side only when that side has everything.
  const bool closed = await(Clock::now() + kClosePatience, [this]() REQUIRES(mutex_) {
    return is_closed() || is_disconnected() || is_cancelled();
  });
  if (is_cancelled()) return "cancelled";
  if (is_closed() || has_acked_all()) return "";
  return closed ? "the connection ended before the peer had everything"
                : "the peer did not close its side of the channel";
}

// SCTP tells when the peer's stack has everything, and nobody tells when its program has read it:
// only the peer does, by its acknowledgements or by closing the channel.
void ResultSender::Impl::await_reader() {
  auto acked = window_.acked();
  auto since = Clock::now();
  const auto last = since + kReaderPatience;
  for (;;) {
    auto patience = settings_.linger;
    if (has_acked_all()) {
      patience = std::min(patience, kCompletionPatience);
    } else if (acked) {
      patience = settings_.ack_timeout;
    }
    if (haste_ >= Haste::kHurried) patience = std::min(patience, kHurriedLinger);
    GST_DEBUG_ID(name(), "the peer has %d ms to %s", static_cast<int>(patience.count()),
                 acked ? "acknowledge the next result" : "read the last one");
    const auto waits_for = [&, haste = haste_]() REQUIRES(mutex_) {
      return is_gone() || is_cancelled() || window_.acked() != acked || haste_ != haste;
    };
    if (!await(std::min(since + patience, last), waits_for) || is_gone() || is_cancelled()) return;
    if (window_.acked() == acked) continue;
    acked = window_.acked();
    since = Clock::now();
    if (*acked > last_result_) return;  // The completion.
  }
}

}  // namespace webrtcupload
