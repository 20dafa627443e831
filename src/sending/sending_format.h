// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each version of the wire format makes of an upload, for the streaming thread of a
// webrtcuploadsink: what it says to the peer and when, what it waits for, and when all is sent.

#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/control.h"
#include "core/error.h"
#include "core/message.h"
#include "core/sha256.h"
#include "sending/sender_channel.h"
#include "sending/sender_settings.h"

namespace webrtcupload {

class SendingFormat {
 public:
  // What a format has of its session. On the streaming thread, with the preroll lock held.
  class Host {
   public:
    [[nodiscard]] virtual GstElement* element() = 0;
    [[nodiscard]] virtual SenderChannel& channel() = 0;
    // Waits without the preroll lock, so that no state change has to wait for the network; while
    // the sink is paused, for the sink to play again. When the peer is gone the upload has failed.
    [[nodiscard]] virtual GstFlowReturn until_done(
        const std::function<SenderChannel::Outcome()>& wait, bool* timed_out = nullptr) = 0;
    // The upload has failed: by its own rules, as the peer says, because the channel takes no more.
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
    // Bytes of the file in messages that the channel was given, and those messages.
    std::uint64_t bytes = 0;
    std::uint32_t chunks = 0;
    // 0 where that is nothing that the format says.
    std::uint32_t total_chunks = 0;
    // Bytes that the peer has, as it says; nothing where it does not.
    std::optional<std::uint64_t> stored;
    bool confirmed = false;
  };

  virtual ~SendingFormat() = default;

  // What is to be called with each message of the peer, on webrtcbin's pc thread with the PC lock
  // held; empty where none counts. Before anything else.
  [[nodiscard]] virtual std::function<void(const Message&)> listener() { return nullptr; }

  // Everything below on the streaming thread, unless it says otherwise.

  // What upstream says of its size. Before anything is sent, once.
  [[nodiscard]] virtual std::optional<Error> begin(std::optional<std::uint64_t> size) = 0;
  // The channel has opened, and the peer is who it should be.
  [[nodiscard]] virtual GstFlowReturn opened(Host&) { return GST_FLOW_OK; }
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

  // The channel is gone: what the peer has said before of an upload that failed. Waits a moment for
  // a message that is still on its way through webrtcbin.
  [[nodiscard]] virtual std::optional<control::Failure> last_words(SenderChannel&) {
    return std::nullopt;
  }
  // The upload is given up for `reason`: what is to be told to the peer before the channel is
  // closed, if anything. Any thread.
  [[nodiscard]] virtual std::optional<std::string> farewell(const std::string& /*reason*/) {
    return std::nullopt;
  }
};

[[nodiscard]] std::unique_ptr<SendingFormat> make_v1_format(const SenderSettings& settings);
[[nodiscard]] std::unique_ptr<SendingFormat> make_v2_format(const SenderSettings& settings);

}  // namespace webrtcupload
