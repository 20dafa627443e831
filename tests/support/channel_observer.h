// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a test needs to play a peer by hand: channels that record what arrives, and raw sending.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "support/wait.h"

namespace webrtcupload::test {

using Bytes = std::vector<std::uint8_t>;

// Records one data channel. Its handlers run on webrtcbin's pc thread; everything here may be
// called from any other.
class ChannelObserver {
 public:
  struct Message {
    bool is_text = false;
    Bytes bytes;
  };

  // Call where nothing can be missed yet: before the channel opens or inside on-data-channel.
  explicit ChannelObserver(GstWebRTCDataChannel* channel);

  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.get(); }
  [[nodiscard]] std::string label() const;
  [[nodiscard]] GstWebRTCDataChannelState ready_state() const;
  [[nodiscard]] std::uint64_t buffered_amount() const;

  // Each false when the deadline passed.
  bool wait_open(std::chrono::milliseconds deadline = kDeadline) const;
  bool wait_closed(std::chrono::milliseconds deadline = kDeadline) const;
  bool wait_messages(std::size_t count, std::chrono::milliseconds deadline = kDeadline) const;

  [[nodiscard]] std::vector<Message> messages() const;
  [[nodiscard]] std::size_t message_count() const;

  // Sends messages of at most one byte back, as a receiver of uploads does. Off by default.
  void set_echo(bool echo);
  // Called on the pc thread with the PC lock held for each message, which is then not kept: for
  // uploads too large to keep, and for slow or misbehaving receivers.
  void set_on_message(std::function<void(std::span<const std::uint8_t>)> on_message);

 private:
  struct State;

  GstPtr<GstWebRTCDataChannel> channel_;
  std::shared_ptr<State> state_;
  std::vector<SignalConnection> connections_;
};

// Raw messages, for a peer that breaks rules as well as for one that keeps them.
[[nodiscard]] bool send_bytes(GstWebRTCDataChannel* channel, std::span<const std::uint8_t> bytes);
[[nodiscard]] bool send_text(GstWebRTCDataChannel* channel, const std::string& text);
// One v1 message.
[[nodiscard]] bool send_chunk(GstWebRTCDataChannel* channel, std::uint32_t index,
                              std::uint32_t total, std::span<const std::uint8_t> payload);

// The payloads of v1 messages in the order of their index; fails the test on any other message.
Bytes reassemble_v1(const std::vector<ChannelObserver::Message>& messages);

// Bytes that do not repeat, the same for the same seed.
Bytes random_bytes(std::size_t size, std::uint32_t seed = 1);

}  // namespace webrtcupload::test
