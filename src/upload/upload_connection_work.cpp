// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the worker does about an upload's connections, and over its channels.

#include <algorithm>
#include <utility>

#include "glib/debug.h"
#include "json/control_writer.h"
#include "upload/upload_connection.h"
#include "webrtc/socket_buffers.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {
namespace {

// How long a peer has to read the last word that it was told, and to close the channel itself: a
// receiving SCTP drops what it has not handed on when a channel closes.
constexpr Duration kLastWordTime = std::chrono::seconds(2);

}  // namespace

// Of v2 there may be several, and each channel knows its own.
GstPtr<GstElement> UploadConnection::webrtcbin_of(const UploadChannel& channel) const {
  if (channel.version() == WireVersion::kV2) {
    if (auto owner = channel.webrtcbin()) return owner;
  }
  const MutexLock lock(upload_.mutex);
  return ref_gst(webrtcbin_.get());
}

std::function<void()> UploadConnection::plumbing(Serial serial, bool is_open) {
  auto taken = channel(serial);
  if (!taken) return nullptr;
  if (!plumbed_.contains(serial)) forget_plumbing();
  const Plumbed& done = plumbed_[serial];
  // The channel may have opened before it was adopted, which then brings us here again. And amid
  // the negotiation there is a decoder, but no socket yet.
  const bool wants_sockets = settings_.socket_buffer_size > 0 && !done.has_sockets;
  if (done.holds_back && !wants_sockets) return nullptr;
  std::shared_ptr<GstElement> webrtcbin(webrtcbin_of(*taken));
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

bool UploadConnection::is_unchecked(Serial serial) const {
  const auto taken = channel(serial);
  return taken && settings_.check_certificate && !taken->is_peer_trusted();
}

PeerTrust UploadConnection::check_peer(Serial serial) {
  const auto taken = channel(serial);
  return taken ? taken->look_at_peer(webrtcbin_of(*taken).get()) : PeerTrust::kTrusted;
}

// All of this reads properties of webrtcbin.
void UploadConnection::plumb(UploadChannel& taken, GstElement* webrtcbin, bool is_open,
                             bool wants_sockets) {
  hold_back(taken, webrtcbin, is_open);
  Plumbed& done = plumbed_[taken.serial()];
  if (!std::exchange(done.watches_connection, true)) taken.watch_connection(webrtcbin);
  if (wants_sockets) {
    const auto granted = grow_receive_buffers(webrtcbin, settings_.socket_buffer_size);
    GST_INFO_ID(upload_.name.c_str(), "receive buffers: %d bytes asked for, %d granted",
                settings_.socket_buffer_size, granted.value_or(0));
    done.has_sockets = granted.has_value();
    const MutexLock lock(upload_.mutex);
    socket_buffer_granted_ = granted.value_or(0);
  }
}

void UploadConnection::hold_back(const UploadChannel& taken, GstElement* webrtcbin, bool is_open) {
  if (!settings_.holds_back || plumbed_[taken.serial()].holds_back) return;
  auto gate = ReceiveGate::find(webrtcbin);
  if (gate) {
    plumbed_[taken.serial()].holds_back = true;
    plumbed_[taken.serial()].webrtcbin = webrtcbin;
    GST_DEBUG_ID(upload_.name.c_str(), "the peer of %s can be held back",
                 GST_OBJECT_NAME(webrtcbin));
    // Of a peer that has been replaced there may be one.
    if (taken.version() == WireVersion::kV1) upload_.inbox->stop_holding_back();
    upload_.inbox->hold_back_with(std::move(gate), webrtcbin);
  } else if (is_open) {
    GST_WARNING_ID(upload_.name.c_str(),
                   "%" GST_PTR_FORMAT " has no sctpdec: its peer cannot be held back",
                   static_cast<void*>(webrtcbin));
  }
}

void UploadConnection::say(Serial serial, const ControlMessage& message) {
  const auto to = channel(serial);
  if (!to || to->send(write_control(message))) return;
  to->close();
  upload_.inbox->push(Inbox::Gone{"the peer does not read what it is told", serial});
}

void UploadConnection::close(Serial serial) {
  release_gate(serial);
  std::shared_ptr<UploadChannel> closing;
  std::shared_ptr<UploadChannel> one_too_many;
  {
    const MutexLock lock(upload_.mutex);
    closing = remove(serial);
    if (!closing) return;
    closing_.push_back({closing, now() + kLastWordTime});
    if (closing_.size() > settings_.max_channels) {
      one_too_many = std::move(closing_.front().channel);
      closing_.erase(closing_.begin());
    }
  }
  // Nothing holds its peer back any more.
  closing->stop_taking();
  if (one_too_many) one_too_many->close();
}

UploadConnection::Channels UploadConnection::take_closing(
    const std::function<bool(const Closing&)>& wanted) {
  Channels taken;
  const auto those = std::partition(closing_.begin(), closing_.end(), std::not_fn(wanted));
  for (auto at = those; at != closing_.end(); ++at) taken.push_back(std::move(at->channel));
  closing_.erase(those, closing_.end());
  return taken;
}

void UploadConnection::leave(Serial serial) {
  std::shared_ptr<UploadChannel> left;
  Channels closed;
  {
    const MutexLock lock(upload_.mutex);
    left = remove(serial);
    closed = take_closing([serial](const Closing& c) { return c.channel->serial() == serial; });
  }
  release_gate(serial);
}

// Of v1's channels nobody is told that they have been let go of.
void UploadConnection::forget_plumbing() {
  std::vector<Serial> gone;
  for (const auto& [serial, done] : plumbed_) {
    if (!channel(serial)) gone.push_back(serial);
  }
  for (const Serial serial : gone) release_gate(serial);
}

void UploadConnection::release_gate(Serial serial) {
  const auto done = plumbed_.extract(serial);
  if (!done || !done.mapped().holds_back) return;
  const void* webrtcbin = done.mapped().webrtcbin;
  const bool is_used = std::ranges::any_of(
      plumbed_, [webrtcbin](const auto& other) { return other.second.webrtcbin == webrtcbin; });
  if (!is_used) upload_.inbox->stop_holding_back(webrtcbin);
}

void UploadConnection::close_all() {
  Channels open;
  {
    const MutexLock lock(upload_.mutex);
    open = channels_;
  }
  for (const auto& channel : open) channel->close();
}

void UploadConnection::close_due(TimePoint now) {
  Channels due;
  {
    const MutexLock lock(upload_.mutex);
    due = take_closing([now](const Closing& closing) { return closing.due <= now; });
  }
  for (const auto& channel : due) channel->close();
}

std::optional<TimePoint> UploadConnection::next_close() const {
  const MutexLock lock(upload_.mutex);
  std::optional<TimePoint> next;
  for (const Closing& closing : closing_) next = earlier(next, closing.due);
  return next;
}

}  // namespace webrtcupload
