// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each version of the wire format makes of an upload, for the streaming thread of a
// webrtcuploadsink: what it says to the peer and when, over which channels, what it waits for, and
// when all is sent.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/control.h"
#include "core/error.h"
#include "core/message.h"
#include "core/sha256.h"
#include "glib/glib_ptr.h"
#include "sending/bell.h"
#include "sending/sender_channel.h"
#include "sending/sender_settings.h"
#include "webrtc/dtls_check.h"

namespace webrtcupload {

class SendingFormat {
 public:
  // What a format has of its session. On the streaming thread, with the preroll lock held.
  class Host {
   public:
    [[nodiscard]] virtual GstElement* element() = 0;
    // Waits without the preroll lock, so that no state change has to wait for the network; while
    // the sink is paused, for the sink to play again. When the peer is gone the upload has failed.
    [[nodiscard]] virtual GstFlowReturn until_done(
        const std::function<SenderChannel::Outcome()>& wait, bool* timed_out = nullptr) = 0;
    // For what may take a moment and cannot be interrupted: without the preroll lock.
    virtual void unlocked(const std::function<void()>& work) = 0;
    // Who is at the other end of a channel that has opened; always trusted where that is not to be
    // looked at.
    [[nodiscard]] virtual PeerTrust trust_of(const SenderChannel& channel) = 0;
    // What looks like a peer that is gone may be our own pipeline, which goes down: waits for how
    // that ends, for the sink to flush, or to be left where it is, when this is a failure.
    [[nodiscard]] virtual GstFlowReturn shutdown_over(const std::string& why) = 0;
    // The upload has failed: by its own rules, as the peer says, because there is no way to the
    // peer any more.
    virtual GstFlowReturn fail(const Error& error) = 0;
    virtual GstFlowReturn refused(const control::Failure& failure) = 0;
    virtual GstFlowReturn peer_gone(const std::string& why) = 0;
    // The figures have changed.
    virtual void note_progress() = 0;

   protected:
    ~Host() = default;
  };

  struct Figures {
    // Nothing: not known yet.
    std::optional<std::uint64_t> size;
    // Bytes of the file in messages that a channel was given, and those messages.
    std::uint64_t bytes = 0;
    std::uint32_t chunks = 0;
    // 0 where that is nothing that the format says.
    std::uint32_t total_chunks = 0;
    // Bytes that the peer has, as it says; nothing where it does not.
    std::optional<std::uint64_t> stored;
    bool confirmed = false;
  };

  // How the connections do, where there may be several.
  struct Traffic {
    // Joined now; and the receiver's limit, 0 when it is not known.
    std::uint32_t connections = 0;
    std::uint32_t max_connections = 0;
    std::uint64_t stored = 0;
    // With what was sent again.
    std::uint64_t sent = 0;
    // For which there were bytes, and every channel that has joined was full, or none had credit.
    std::chrono::nanoseconds waited_for_room{0};
    std::chrono::nanoseconds waited_for_credit{0};
    // 0: not known.
    std::chrono::nanoseconds round_trip{0};
  };

  virtual ~SendingFormat() = default;

  // Everything on the streaming thread, unless it says otherwise.

  // What upstream says of its size. Before anything is sent, once.
  [[nodiscard]] virtual std::optional<Error> begin(std::optional<std::uint64_t> size) = 0;
  // Until something can be sent: a channel has opened, and the peer is who it should be. Before
  // each buffer.
  [[nodiscard]] virtual GstFlowReturn open(Host& host) = 0;
  // Sends `data`, all but what only fills a part of a message.
  [[nodiscard]] virtual GstFlowReturn send(Host& host, ByteView data) = 0;
  // All bytes have come that were announced.
  [[nodiscard]] virtual bool finished() const = 0;
  // There are no more: an error when that is too early.
  [[nodiscard]] virtual std::optional<Error> end() = 0;
  // After the last byte: returns when the peer has everything, as far as it can be known.
  [[nodiscard]] virtual GstFlowReturn complete(Host& host) = 0;
  [[nodiscard]] virtual Figures figures() const = 0;
  // Of the whole file, once it has been sent and where it is computed.
  [[nodiscard]] virtual std::optional<Sha256Sum> sha256() const { return std::nullopt; }
  // Why a wait for a channel has ended in kGone; empty where no wait does.
  [[nodiscard]] virtual std::string why_gone() const { return ""; }

  // Any thread.
  [[nodiscard]] virtual std::uint64_t buffered_amount() const = 0;
  // Nothing where there is one channel, of which the figures say all.
  [[nodiscard]] virtual std::optional<Traffic> traffic() const { return std::nullopt; }
  // A further connection. False, with the reason in `problem`, when there is none. Not under the PC
  // lock.
  [[nodiscard]] virtual bool attach(GstElement* webrtcbin, const std::string& label,
                                    std::string& problem) = 0;
  // The upload is complete: channels of ours are closed.
  virtual void close() = 0;
  // The upload is given up: the peer is told why, where the format can say that, and every channel
  // is closed so that it holds up no webrtcbin on its way down. Waits a second at most. Not under
  // the PC lock.
  virtual void abandon(const std::string& reason) = 0;
};

// The channel that an upload begins with.
struct FirstChannel {
  GstPtr<GstWebRTCDataChannel> channel;
  // Null when it is not known.
  GstPtr<GstElement> webrtcbin;
  // Made by the sink, so that nobody else closes it.
  bool is_ours = false;
};

// What happens on the channels rings `bell`.
[[nodiscard]] std::unique_ptr<SendingFormat> make_v1_format(const SenderSettings& settings,
                                                            FirstChannel first,
                                                            std::shared_ptr<Bell> bell);
[[nodiscard]] std::unique_ptr<SendingFormat> make_v2_format(const SenderSettings& settings,
                                                            FirstChannel first,
                                                            std::shared_ptr<Bell> bell);

}  // namespace webrtcupload
