// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A data channel as code on one main context sees it. (The upload channel is not used through
// this: its element takes every message where it arrives.)

#pragma once

#include <gst/webrtc/webrtc.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "glib/glib_ptr.h"

namespace webrtcupload {

class DataChannel : public std::enable_shared_from_this<DataChannel> {
 public:
  struct Events {
    std::function<void()> open;
    std::function<void(std::string_view text)> text;
    std::function<void(std::span<const std::uint8_t> bytes)> data;
    std::function<void()> closed;
  };

  // What a message that waits takes beside its own bytes, of which it may have one: what carries it
  // to the context, rounded up.
  static constexpr std::size_t kMessageCost = 512;

  // Connects to the channel's signals at once, so that nothing is missed: may be called in
  // on-data-channel, under webrtcbin's PC lock. While what waits for the context takes
  // `max_pending` bytes of memory, further messages are dropped: a peer that floods the channel
  // must not fill our memory. One may always wait, however small that is. `is_trusted`
  // is asked, on the context's thread, before the channel's opening or any message is told.
  static std::shared_ptr<DataChannel> create(GstWebRTCDataChannel* channel, GMainContext* context,
                                             std::size_t max_pending,
                                             std::function<bool()> is_trusted);
  ~DataChannel();

  // Everything below, and every event, on the context's thread only.
  void set_events(Events events);

  [[nodiscard]] GstWebRTCDataChannel* get() const { return channel_.get(); }
  [[nodiscard]] std::string label() const;
  [[nodiscard]] bool is_open() const;
  [[nodiscard]] bool is_closed() const;
  // What the SCTP layer has not accepted yet.
  [[nodiscard]] std::uint64_t buffered_amount() const;
  // False if the channel would not take it.
  bool send(std::span<const std::uint8_t> bytes);
  // Everything sent before is still delivered.
  void close();

 private:
  struct Link;
  DataChannel(GstWebRTCDataChannel* channel, GMainContext* context);

  GObjectPtr<GstWebRTCDataChannel> channel_;
  GMainContext* context_;
  std::shared_ptr<Link> link_;
  Events events_;
};

}  // namespace webrtcupload
