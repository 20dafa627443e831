// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sending end of a data channel, for a streaming thread that may wait: for the channel to open,
// for room in it, for it to drain, for the peer to answer. Its news ring a bell, which several
// channels may share. Every wait ends at once when the bell is interrupted or the peer is gone.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/message.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "sending/bell.h"
#include "webrtc/channel_sending.h"
#include "webrtc/dtls_check.h"
#include "webrtc/peer_watch.h"

namespace webrtcupload {

class SenderChannel {
 public:
  // How long the message that SCTP is taking may need to be taken whole, when an upload is
  // abandoned. If it does, the peer sees the channel close.
  static constexpr std::chrono::milliseconds kPatience{500};

  using Listener = std::function<void(const Message&)>;

  enum class Outcome { kDone, kInterrupted, kGone, kTimedOut };

  // `webrtcbin` is the one `channel` belongs to, or null when that is not known; then only the
  // channel itself can show that the peer is gone. Not under the PC lock, unless it is null.
  // `listener`, if any, is called with each message that arrives, on webrtcbin's pc thread with the
  // PC lock held, before the bell rings; it may still run when the channel object is gone.
  SenderChannel(GstPtr<GstWebRTCDataChannel> channel, GstPtr<GstElement> webrtcbin,
                std::shared_ptr<Bell> bell, Listener listener = nullptr);
  ~SenderChannel();
  SenderChannel(const SenderChannel&) = delete;
  SenderChannel& operator=(const SenderChannel&) = delete;

  // Makes a new channel on `webrtcbin`, whose protocol field is empty if `protocol` is null. Null,
  // with the reason in `problem`, when that fails. Not under the PC lock.
  [[nodiscard]] static GstPtr<GstWebRTCDataChannel> create(GstElement* webrtcbin, const char* label,
                                                           const char* protocol,
                                                           std::string& problem);

  // The waits, for one thread at a time.
  [[nodiscard]] Outcome wait_open();
  // Until `message_size` more bytes leave no more than `buffer_limit` in the channel.
  [[nodiscard]] Outcome wait_room(std::uint64_t message_size, std::uint64_t buffer_limit);
  // Until SCTP has accepted everything. What it has accepted the peer need not have.
  [[nodiscard]] Outcome wait_drained();
  // Until the peer has answered a keepalive sent after everything else, which proves that all of it
  // arrived: the channel is reliable and ordered. The time counts from the first call.
  [[nodiscard]] Outcome wait_confirmed(std::chrono::nanoseconds timeout);

  // Whether it may be sent over.
  [[nodiscard]] bool is_open() const;
  // The peer is gone, or the channel has closed: why_gone() says why. Looks at the channel's owner,
  // since a webrtcbin that is finalised tells nobody; so whoever waits for it looks again every
  // kOwnerInterval.
  [[nodiscard]] bool is_gone();

  // See webrtc/dtls_check.h. When the channel is open; waits for webrtcbin's PC lock.
  [[nodiscard]] PeerTrust peer_trust() const;
  // False, with the reason in `problem`, when the channel takes no message (any more).
  [[nodiscard]] bool send(std::vector<std::uint8_t> message, std::string& problem);
  [[nodiscard]] bool send(const SharedMessage& message, std::string& problem);
  [[nodiscard]] bool send_text(const std::string& text, std::string& problem);

  // Closes the channel once everything queued has left. Any thread.
  void close();
  // Closes the channel without sending what is queued.
  void drop();
  // After drop(), so that webrtcbin can be stopped afterwards: waits, until a moment, for the
  // message that SCTP is taking, and gives it up then. Nothing drains, and it does not wait, when
  // the peer was gone before drop(). Any thread but one that holds the PC lock.
  void abandon(Bell::Clock::time_point until);

  [[nodiscard]] std::uint64_t buffered_amount() const;
  // Why is_gone() is true, or a wait returned kGone.
  [[nodiscard]] std::string why_gone() const;

  // Null when it is not known.
  [[nodiscard]] GstElement* webrtcbin() const { return webrtcbin_.get(); }

 private:
  struct State;
  using Deadline = std::optional<Bell::Clock::time_point>;

  template <typename Condition>
  Outcome wait(Condition condition, bool condition_first, Deadline deadline = std::nullopt);

  const GstPtr<GstWebRTCDataChannel> channel_;
  // Kept for as long as the channel is used: a channel does not keep its webrtcbin alive.
  const GstPtr<GstElement> webrtcbin_;
  const std::shared_ptr<State> state_;
  Deadline confirm_deadline_;
  PeerWatch peer_watch_;
  std::vector<SignalConnection> connections_;
};

}  // namespace webrtcupload
