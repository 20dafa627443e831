// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_connection.h"

#include <utility>

#include "glib/debug.h"
#include "webrtc/channel_getters.h"
#include "webrtc/socket_buffers.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

using debug::quote;

UploadConnection::UploadConnection(SharedUpload& upload, Settings settings,
                                   GstPtr<GstElement> webrtcbin)
    : upload_(upload), settings_(std::move(settings)), webrtcbin_(std::move(webrtcbin)) {}

void UploadConnection::offer(GstWebRTCDataChannel* channel, const GstElement* webrtcbin) {
  const char* name = upload_.name.c_str();
  const std::string label = label_of(channel);
  const std::string quoted = quote(label);
  if (label != settings_.channel_label) {
    GST_DEBUG_ID(name, "channel %s left alone: the label wanted is \"%s\"", quoted.c_str(),
                 settings_.channel_label.c_str());
    return;
  }
  if (const std::string protocol = protocol_of(channel); !protocol.empty()) {
    GST_WARNING_ID(name, "channel %s left alone: its protocol %s is not known", quoted.c_str(),
                   quote(protocol).c_str());
    return;
  }
  if (this->channel()) {
    GST_DEBUG_ID(name, "channel %s left alone: this upload has a channel", quoted.c_str());
    return;
  }
  if (auto taken = UploadChannel::take(channel, upload_.inbox)) {
    adopt(std::move(taken), webrtcbin);
  } else {
    GST_DEBUG_ID(name, "channel %s left alone: another element has it", quoted.c_str());
  }
}

void UploadConnection::adopt(std::shared_ptr<UploadChannel> late, const GstElement* webrtcbin) {
  {
    const MutexLock lock(upload_.mutex);
    // One that comes too late is let go when `late` goes out of scope, after the lock.
    // A handler of a former peer's webrtcbin may have been running when that was replaced.
    const bool is_of_former_peer = webrtcbin && webrtcbin != webrtcbin_.get();
    if (upload_.stopping || channel_ || is_of_former_peer) {
      GST_DEBUG_ID(upload_.name.c_str(), "channel %s let go: %s", quote(late->label()).c_str(),
                   is_of_former_peer ? "its peer has been replaced"
                   : channel_        ? "another came first"
                                     : "the upload stops");
      return;
    }
    if (webrtcbin_) late->belongs_to(webrtcbin_.get());
    channel_.swap(late);
    serial_ = channel_->serial();
    adopted_ = true;
    GST_INFO_ID(upload_.name.c_str(), "channel %s taken", quote(channel_->label()).c_str());
    if (!settings_.check_certificate) {
      GST_DEBUG_ID(upload_.name.c_str(),
                   "its peer's certificate is not compared: check-certificate is off");
    }
  }
  upload_.inbox->wake();
}

bool UploadConnection::attach(GstElement* webrtcbin) {
  forget_idle_channel();
  GstPtr<GstElement> replaced = ref_gst(webrtcbin);
  const MutexLock lock(upload_.mutex);
  if (upload_.receiver->state() != UploadState::kIdle || channel_) {
    GST_DEBUG_ID(upload_.name.c_str(), "another peer is not attached: an upload has begun");
    return false;
  }
  webrtcbin_.swap(replaced);
  GST_INFO_ID(upload_.name.c_str(), "waits for a channel of another peer");
  return true;
}

void UploadConnection::detach(const GstElement* webrtcbin) {
  GstPtr<GstElement> left;
  std::shared_ptr<UploadChannel> channel;
  {
    const MutexLock lock(upload_.mutex);
    if (webrtcbin_.get() != webrtcbin) return;
    left.swap(webrtcbin_);
    channel.swap(channel_);
    adopted_ = false;
    GST_DEBUG_ID(upload_.name.c_str(), "the peer of %s has left", GST_OBJECT_NAME(webrtcbin));
  }
  upload_.inbox->stop_holding_back();
  if (channel) upload_.inbox->push(Inbox::Gone{"the peer has left", channel->serial()});
}

bool UploadConnection::forget_idle_channel(std::optional<Inbox::Serial> gone) {
  std::shared_ptr<UploadChannel> forgotten;
  const MutexLock lock(upload_.mutex);
  if (upload_.receiver->state() != UploadState::kIdle || !channel_) return false;
  if (gone && channel_->serial() != *gone) return false;
  forgotten.swap(channel_);
  adopted_ = false;
  GST_INFO_ID(upload_.name.c_str(), "channel %s let go before its first chunk: %s",
              quote(forgotten->label()).c_str(),
              gone ? "its peer has gone" : "another peer may have its place");
  return true;
}

bool UploadConnection::is_current(Inbox::Serial channel) const {
  const MutexLock lock(upload_.mutex);
  return serial_ == channel && (channel_ || upload_.receiver->state() != UploadState::kIdle);
}

std::shared_ptr<UploadChannel> UploadConnection::channel() const {
  const MutexLock lock(upload_.mutex);
  return channel_;
}

GstPtr<GstElement> UploadConnection::webrtcbin() const {
  const MutexLock lock(upload_.mutex);
  return ref_gst(webrtcbin_.get());
}

std::function<void()> UploadConnection::plumbing(bool is_open) {
  auto taken = channel();
  if (!taken) return nullptr;
  if (plumbed_.lock() != taken) {
    plumbed_ = taken;
    holds_back_ = watches_connection_ = has_sockets_ = false;
  }
  // The channel may have opened before it was adopted, which then brings us here again. And amid
  // the negotiation there is a decoder, but no socket yet.
  const bool wants_sockets = settings_.socket_buffer_size > 0 && !has_sockets_;
  if (holds_back_ && !wants_sockets) return nullptr;
  std::shared_ptr<GstElement> webrtcbin(this->webrtcbin());
  if (!webrtcbin) {
    if (is_open && settings_.holds_back) {
      GST_WARNING_ID(upload_.name.c_str(),
                     "no webrtcbin is known for this data channel: its peer cannot be held back");
    }
    return nullptr;
  }
  return [=, this, taken = std::move(taken), webrtcbin = std::move(webrtcbin)] {
    plumb(*taken, webrtcbin.get(), is_open, wants_sockets);
  };
}

bool UploadConnection::is_unchecked() const {
  const auto taken = channel();
  return taken && settings_.check_certificate && !taken->is_peer_trusted();
}

PeerTrust UploadConnection::check_peer() {
  const auto taken = channel();
  return taken ? taken->look_at_peer(webrtcbin().get()) : PeerTrust::kTrusted;
}

// All of this reads properties of webrtcbin.
void UploadConnection::plumb(UploadChannel& taken, GstElement* webrtcbin, bool is_open,
                             bool wants_sockets) {
  const bool wants_gate = settings_.holds_back && !holds_back_;
  auto gate = wants_gate ? ReceiveGate::find(webrtcbin) : nullptr;
  if (gate) {
    holds_back_ = true;
    GST_DEBUG_ID(upload_.name.c_str(), "the peer of %s can be held back",
                 GST_OBJECT_NAME(webrtcbin));
    upload_.inbox->hold_back_with(std::move(gate));
  } else if (wants_gate && is_open) {
    GST_WARNING_ID(upload_.name.c_str(),
                   "%" GST_PTR_FORMAT " has no sctpdec: its peer cannot be held back",
                   static_cast<void*>(webrtcbin));
  }
  if (!std::exchange(watches_connection_, true)) taken.watch_connection(webrtcbin);
  if (wants_sockets) {
    const auto granted = grow_receive_buffers(webrtcbin, settings_.socket_buffer_size);
    GST_INFO_ID(upload_.name.c_str(), "receive buffers: %d bytes asked for, %d granted",
                settings_.socket_buffer_size, granted.value_or(0));
    has_sockets_ = granted.has_value();
    const MutexLock lock(upload_.mutex);
    socket_buffer_granted_ = granted.value_or(0);
  }
}

}  // namespace webrtcupload
