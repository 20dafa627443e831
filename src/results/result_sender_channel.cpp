// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A ResultSender and its peer: whose channel it takes, what the peer says over it, when it is gone.

#include <chrono>
#include <cstring>
#include <utility>

#include "glib/debug.h"
#include "results/result_sender_impl.h"
#include "webrtc/channel_claim.h"
#include "webrtc/channels.h"

#define GST_CAT_DEFAULT webrtcupload::debug::results()

namespace webrtcupload {
namespace {

// From the peer, and waiting for the thread that hands them on. More is lost: what a peer may ask
// for is little, and its acknowledgements do not go this way.
constexpr std::size_t kMaxControlMessages = 64;
constexpr std::size_t kMaxControlSize = 16UL * 1024;
// For a message that is being handed to the channel of a peer that has left, which is at once.
constexpr std::chrono::milliseconds kSendingPatience{1000};

}  // namespace

bool ResultSender::Impl::forget_peer() {
  std::vector<SignalConnection> connections;
  std::unique_ptr<PeerWatch> channel_watch;
  std::unique_ptr<PeerWatch> connection_watch;
  GstPtr<GstElement> webrtcbin;
  GstPtr<GstWebRTCDataChannel> channel;
  const MutexLock lock(mutex_);
  if (frame_id_ > 0 || is_ending() || sending_) return false;
  connections.swap(connections_);
  channel_watch.swap(channel_watch_);
  connection_watch.swap(connection_watch_);
  webrtcbin.swap(webrtcbin_);
  channel.swap(channel_);
  if (channel) {
    GST_DEBUG_ID(name(), "channel %s let go before the first result",
                 debug::quote(label_of(channel.get())).c_str());
  }
  if (channel) release_channel(channel.get(), this);
  peer_ = ResultPeer::kAwaited;
  gone_to_tell_.reset();
  window_ = ResultWindow(settings_.realtime ? 0 : settings_.ack_window);
  stats_.acked.reset();
  trust_ = initial_trust();
  control_.clear();
  channel_deadline_.reset();
  return true;
}

void ResultSender::Impl::attach(GstElement* webrtcbin) {
  if (!forget_peer()) {
    GST_DEBUG_ID(name(), "%s is not listened to: another peer has results",
                 GST_OBJECT_NAME(webrtcbin));
    return;
  }
  GST_DEBUG_ID(name(), "waits for a channel \"%s\" of %s", settings_.channel_label.c_str(),
               GST_OBJECT_NAME(webrtcbin));
  keep_channels(webrtcbin);
  SignalConnection connection(
      webrtcbin, "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, Closure* closure) {
        if (const auto self = closure->lock()) self->on_data_channel(channel);
      }),
      Closure(weak_from_this()));
  auto watch = std::make_unique<PeerWatch>([weak = weak_from_this()](const std::string& why) {
    if (const auto self = weak.lock()) self->on_gone(why, true);
  });
  watch->watch_connection(webrtcbin);
  const MutexLock lock(mutex_);
  if (haste_ == Haste::kStopping) return;
  webrtcbin_ = ref_gst(webrtcbin);
  connections_.push_back(std::move(connection));
  connection_watch_ = std::move(watch);
}

void ResultSender::Impl::detach(const GstElement* webrtcbin) {
  GstPtr<GstElement> left;
  std::unique_ptr<PeerWatch> channel_watch;
  std::unique_ptr<PeerWatch> connection_watch;
  {
    const MutexLock lock(mutex_);
    if (webrtcbin_.get() != webrtcbin) return;
  }
  GST_DEBUG_ID(name(), "the peer of %s has left", GST_OBJECT_NAME(webrtcbin));
  if (forget_peer()) return;
  on_gone("the peer has left", true);
  MutexLock lock(mutex_);
  // Whoever is sending uses the channel, which does not keep its webrtcbin.
  changed_.wait_for(mutex_, kSendingPatience, [this]() REQUIRES(mutex_) { return !sending_; });
  left.swap(webrtcbin_);
  channel_watch.swap(channel_watch_);
  connection_watch.swap(connection_watch_);
  detached_ = true;
}

bool ResultSender::Impl::adopt(GstWebRTCDataChannel* channel) {
  const auto label = [&] { return debug::quote(label_of(channel)); };
  if (!claim_channel(channel, this)) {
    GST_DEBUG_ID(name(), "channel %s left alone: another element has it", label().c_str());
    return false;
  }
  {
    const MutexLock lock(mutex_);
    if (channel_ || haste_ == Haste::kStopping) {
      GST_DEBUG_ID(name(), "channel %s left alone: %s", label().c_str(),
                   channel_ ? "these results have a channel" : "the results stop");
      release_channel(channel, this);
      return false;
    }
    channel_ = ref_gst(channel);
  }
  const Closure weak = weak_from_this();
  std::vector<SignalConnection> connections;
  const auto connect = [&](const char* signal, GCallback handler) {
    connections.emplace_back(channel, signal, handler, weak);
  };
  connect("on-message-string",
          G_CALLBACK(+[](GstWebRTCDataChannel*, const char* text, Closure* closure) {
            if (const auto self = closure->lock()) self->on_text(text);
          }));
  connect("on-message-data", G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_binary();
          }));
  connect("on-open", G_CALLBACK(+[](GstWebRTCDataChannel* object, Closure* closure) {
            if (const auto self = closure->lock()) self->on_channel_state(object);
          }));
  connect("notify::ready-state",
          G_CALLBACK(+[](GstWebRTCDataChannel* object, GParamSpec*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_channel_state(object);
          }));
  // On the thread that sends and on the channel's own when SCTP takes a message; without locks, and
  // after each change. (on-buffered-amount-low would come by way of the pc thread, and its
  // threshold belongs to the application.)
  connect("notify::buffered-amount",
          G_CALLBACK(+[](GstWebRTCDataChannel*, GParamSpec*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_buffered();
          }));
  auto watch = std::make_unique<PeerWatch>([weak](const std::string& why) {
    if (const auto self = weak.lock()) self->on_gone(why, false);
  });
  watch->watch_channel(channel);
  GST_INFO_ID(name(), "channel %s taken", label().c_str());
  on_channel_state(channel);
  const MutexLock lock(mutex_);
  if (haste_ == Haste::kStopping) return true;
  for (auto& connection : connections) connections_.push_back(std::move(connection));
  channel_watch_ = std::move(watch);
  return true;
}

void ResultSender::Impl::on_data_channel(GstWebRTCDataChannel* channel) {
  const std::string label = label_of(channel);
  if (label == settings_.channel_label) {
    adopt(channel);
  } else {
    GST_DEBUG_ID(name(), "channel %s left alone: the label wanted is \"%s\"",
                 debug::quote(label).c_str(), settings_.channel_label.c_str());
  }
}

void ResultSender::Impl::on_text(const char* text) {
  const std::size_t size = text ? std::strlen(text) : 0;
  const std::string_view view(text ? text : "", size);
  const auto ack = parse_ack(view);
  GST_LOG_ID(name(), "text message of %" G_GSIZE_FORMAT " bytes", size);
  const MutexLock lock(mutex_);
  if (ack) {
    if (window_.ack(*ack)) {
      stats_.acked = window_.acked();
      changed_.notify_all();
    } else {
      GST_DEBUG_ID(name(), "acknowledgement of %" G_GINT64_FORMAT " ignored: it says nothing new",
                   gint64{*ack});
      ++stats_.rejected;
    }
  } else if (size == 0 || size > kMaxControlSize || control_.size() >= kMaxControlMessages) {
    GST_DEBUG_ID(name(), "control message of %" G_GSIZE_FORMAT " bytes refused: %s", size,
                 size == 0                ? "it is empty"
                 : size > kMaxControlSize ? "it is too large"
                                          : "too many wait");
    ++stats_.rejected;
  } else {
    control_.emplace_back(view);
    work_.notify_all();
  }
}

void ResultSender::Impl::on_binary() {
  GST_DEBUG_ID(name(), "binary message ignored: a peer of results sends text");
  const MutexLock lock(mutex_);
  ++stats_.rejected;
}

void ResultSender::Impl::on_channel_state(GstWebRTCDataChannel* channel) {
  const auto state = ready_state(channel);
  const MutexLock lock(mutex_);
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) advance(ResultPeerEvent::kOpens);
  changed_.notify_all();
  work_.notify_all();
}

void ResultSender::Impl::on_gone(const std::string& why, bool connection) {
  const MutexLock lock(mutex_);
  leaves(why, connection);
}

void ResultSender::Impl::leaves(const std::string& why, bool connection) {
  const bool was_gone = is_gone();
  if (connection) {
    advance(ResultPeerEvent::kDisconnects);
  } else if (state_ != ResultState::kClosing) {
    // What we have closed ourselves has not gone.
    advance(ResultPeerEvent::kLeaves);
  }
  if (state_ != ResultState::kClosing && !was_gone) {
    why_gone_ = why;
    if (!is_ending()) gone_to_tell_ = Error{ErrorCode::kPeerGone, why};
  }
  changed_.notify_all();
  work_.notify_all();
}

void ResultSender::Impl::on_buffered() {
  // An empty critical section: who has looked at the amount before is waiting by now.
  { const MutexLock lock(mutex_); }
  changed_.notify_all();
}

}  // namespace webrtcupload
