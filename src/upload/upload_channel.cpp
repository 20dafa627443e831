// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_channel.h"

#include <atomic>
#include <cstring>
#include <tuple>
#include <utility>

#include "core/wire_v1.h"
#include "core/wire_v2.h"
#include "glib/debug.h"
#include "webrtc/channel_claim.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"
#include "webrtc/channel_sending.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {
namespace {

// Echoes waiting to be sent, in bytes, above which no more are made.
constexpr guint64 kMaxEchoBacklog = 1024;
// Answers waiting to be sent, in bytes: thousands of acknowledgements, or minutes of them.
constexpr guint64 kMaxAnswerBacklog = guint64{256} * 1024;

// Where what a channel brings goes.
struct Target {
  std::shared_ptr<Inbox> inbox;
  Inbox::Serial channel;
  std::shared_ptr<std::atomic<bool>> has_chunk;
  std::shared_ptr<std::atomic<std::uint64_t>> waiting;

  void put(Message::Kind kind, GBytesPtr bytes) const {
    Inbox::Received received{channel, kind, std::move(bytes)};
    const Message message = received.message();
    if (message.bytes.size() > kV1MaxKeepaliveSize) *has_chunk = true;
    *waiting += counted_bytes(message);
    inbox->push(std::move(received));
  }
};

Inbox::Serial next_serial() {
  static std::atomic<Inbox::Serial> last = 0;
  return ++last;
}

// The handlers run on webrtcbin's pc thread with the PC lock held.
void on_open(GstWebRTCDataChannel*, const Target* target) {
  target->inbox->push(Inbox::Opened{target->channel});
}

void on_message_data(GstWebRTCDataChannel*, GBytes* bytes, const Target* target) {
  target->put(Message::Kind::kBinary, GBytesPtr(bytes ? g_bytes_ref(bytes) : nullptr));
}

void on_message_string(GstWebRTCDataChannel*, const char* text, const Target* target) {
  target->put(Message::Kind::kText,
              GBytesPtr(text ? g_bytes_new(text, std::strlen(text)) : nullptr));
}

}  // namespace

std::unique_ptr<UploadChannel> UploadChannel::take(GstWebRTCDataChannel* channel,
                                                   std::shared_ptr<Inbox> inbox) {
  std::unique_ptr<UploadChannel> taken(new UploadChannel(channel, std::move(inbox)));
  if (!claim_channel(channel, taken.get())) return nullptr;
  const Target target{taken->inbox_, taken->serial_, taken->has_chunk_, taken->waiting_};
  taken->on_data_ =
      SignalConnection(channel, "on-message-data", G_CALLBACK(on_message_data), target);
  taken->on_string_ =
      SignalConnection(channel, "on-message-string", G_CALLBACK(on_message_string), target);
  taken->on_open_ = SignalConnection(channel, "on-open", G_CALLBACK(on_open), target);

  if (ready_state(channel) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) on_open(channel, &target);
  taken->peer_watch_.watch_channel(channel);
  return taken;
}

UploadChannel::UploadChannel(GstWebRTCDataChannel* channel, std::shared_ptr<Inbox> inbox)
    : serial_(next_serial()),
      channel_(ref_gobject(channel)),
      inbox_(std::move(inbox)),
      label_(label_of(channel)),
      protocol_(protocol_of(channel)),
      peer_watch_([inbox = inbox_, serial = serial_](const std::string& why) {
        inbox->push(Inbox::Gone{why, serial});
      }) {
  g_weak_ref_init(&given_webrtcbin_, nullptr);
}

UploadChannel::~UploadChannel() {
  g_weak_ref_clear(&given_webrtcbin_);
  release_channel(channel_.get(), this);
}

void UploadChannel::watch_connection(GstElement* webrtcbin) {
  peer_watch_.watch_connection(webrtcbin);
}

void UploadChannel::belongs_to(GstElement* webrtcbin) {
  g_weak_ref_set(&given_webrtcbin_, webrtcbin);
}

GstPtr<GstElement> UploadChannel::webrtcbin() const {
  ChannelOwner owner = owner_of(channel_.get());
  if (owner.is_known) return std::move(owner.webrtcbin);
  return GstPtr<GstElement>(static_cast<GstElement*>(g_weak_ref_get(&given_webrtcbin_)));
}

PeerTrust UploadChannel::look_at_peer(GstElement* otherwise) {
  const GstPtr<GstElement> known = webrtcbin();
  const PeerTrust trust = peer_trust(channel_.get(), known ? known.get() : otherwise);
  trusted_ = trust == PeerTrust::kTrusted;
  return trust;
}

void UploadChannel::echo(const Message& message) {
  if (message.bytes.empty()) return;
  const GstPtr<GstElement> webrtcbin = this->webrtcbin();
  if (!webrtcbin) return;
  if (buffered_amount(channel_.get()) > kMaxEchoBacklog) return;
  if (message.kind == Message::Kind::kText) {
    std::ignore = send_text_on(channel_.get(), {message.bytes.begin(), message.bytes.end()});
  } else {
    std::ignore = send_on(channel_.get(), {message.bytes.begin(), message.bytes.end()});
  }
}

bool UploadChannel::send(const std::string& text) {
  const GstPtr<GstElement> webrtcbin = this->webrtcbin();
  // Its end is on its way.
  if (!webrtcbin) return true;
  if (buffered_amount(channel_.get()) > kMaxAnswerBacklog) return false;
  if (send_text_on(channel_.get(), text)) told_ = true;
  return true;
}

void UploadChannel::handled(const Message& message) { *waiting_ -= counted_bytes(message); }

bool UploadChannel::is_open() const {
  return ready_state(channel_.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

void UploadChannel::stop_taking() {
  on_data_.disconnect();
  on_string_.disconnect();
}

void UploadChannel::close() {
  if (const GstPtr<GstElement> webrtcbin = this->webrtcbin()) {
    close_channel(channel_.get());
  } else {
    GST_WARNING_OBJECT(channel_.get(),
                       "channel %s is left open: its webrtcbin has gone, or is not known",
                       debug::quote(label_).c_str());
  }
}

}  // namespace webrtcupload
