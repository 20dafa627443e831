// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The data channel that one upload has taken.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/message.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "upload/inbox.h"
#include "upload/upload_protocol.h"
#include "webrtc/dtls_check.h"
#include "webrtc/peer_watch.h"

namespace webrtcupload {

// From its construction to its end everything the channel brings goes to the inbox. No other of our
// elements has the channel meanwhile (claim_channel()).
class UploadChannel {
 public:
  // Null when another element has `channel`. May be called under the PC lock, and has to be
  // when the channel comes from on-data-channel: messages that arrive before the handlers are
  // connected are lost.
  [[nodiscard]] static std::unique_ptr<UploadChannel> take(GstWebRTCDataChannel* channel,
                                                           std::shared_ptr<Inbox> inbox);

  ~UploadChannel();
  UploadChannel(const UploadChannel&) = delete;
  UploadChannel& operator=(const UploadChannel&) = delete;

  // Notices the loss of the connection too, not only of the channel. Not under the PC lock.
  void watch_connection(GstElement* webrtcbin);

  // Sends a keepalive back. Silently does not when the peer does not read what it asked for, or
  // when webrtcbin cannot (empty messages, in 1.22): an echo is a courtesy, and must not be a way
  // to fill our memory.
  void echo(const Message& message);
  // Sends a text message. False: so much waits already that the peer does not read what it asked
  // for.
  [[nodiscard]] bool send(const std::string& text);
  // Whether a text message has been sent.
  [[nodiscard]] bool was_told() const { return told_; }
  // From now on nothing that it brings goes to the inbox, but its end.
  void stop_taking();
  // So that the sender notices. What was queued before is still delivered.
  void close();

  // What the channel belongs to, if that was not seen (see owner_of()). Never keeps it alive.
  void belongs_to(GstElement* webrtcbin);
  // Null when it has gone, or is not known: nothing may be asked of the channel then that makes it
  // use its webrtcbin, which is to close it or to send.
  [[nodiscard]] GstPtr<GstElement> webrtcbin() const;

  // See webrtc/dtls_check.h; `otherwise` counts if nothing else is known. Not under the PC lock.
  [[nodiscard]] PeerTrust look_at_peer(GstElement* otherwise);
  // Whether a look has found the peer trusted. So it stays, whoever has the channel next.
  [[nodiscard]] bool is_peer_trusted() const { return trusted_; }

  // Whether something has come that is no keepalive, be it still in the inbox.
  [[nodiscard]] bool has_brought_a_chunk() const { return *has_chunk_; }

  // counted_bytes() of the messages that are in the inbox, or in the worker's hands.
  [[nodiscard]] std::uint64_t waiting() const { return *waiting_; }
  // Of the worker: such a message is done with.
  void handled(const Message& message);

  // Another one for each UploadChannel of a process.
  [[nodiscard]] Inbox::Serial serial() const { return serial_; }
  [[nodiscard]] bool is(const void* channel) const { return channel_.get() == channel; }
  [[nodiscard]] const std::string& label() const { return label_; }
  [[nodiscard]] const std::string& protocol() const { return protocol_; }
  [[nodiscard]] WireVersion version() const { return version_of(protocol_); }
  [[nodiscard]] bool is_open() const;

 private:
  UploadChannel(GstWebRTCDataChannel* channel, std::shared_ptr<Inbox> inbox);

  const Inbox::Serial serial_;
  const GObjectPtr<GstWebRTCDataChannel> channel_;
  const std::shared_ptr<Inbox> inbox_;
  const std::shared_ptr<std::atomic<bool>> has_chunk_ = std::make_shared<std::atomic<bool>>(false);
  const std::shared_ptr<std::atomic<std::uint64_t>> waiting_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  mutable GWeakRef given_webrtcbin_{};
  std::atomic<bool> trusted_ = false;
  std::atomic<bool> told_ = false;
  std::string label_;
  std::string protocol_;
  PeerWatch peer_watch_;
  SignalConnection on_open_;
  SignalConnection on_data_;
  SignalConnection on_string_;
};

}  // namespace webrtcupload
