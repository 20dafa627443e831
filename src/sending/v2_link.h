// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All connections of one upload in wire format v2, as the streaming thread looks after them: says
// hello over those that have opened, takes leave of those that are lost, waits for another one when
// the last is lost, and tells the application of all that.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/control.h"
#include "sending/bell.h"
#include "sending/sender_settings.h"
#include "sending/sending_format.h"
#include "sending/v2_connections.h"
#include "sending/v2_conversation.h"

namespace webrtcupload {

class V2Link {
 public:
  using Host = SendingFormat::Host;
  using Deadline = std::optional<Bell::Clock::time_point>;
  // Nanoseconds.
  using WaitedTime = std::atomic<std::uint64_t>;

  V2Link(const SenderSettings& settings, std::shared_ptr<V2Conversation> conversation,
         std::shared_ptr<V2Connections> connections, std::shared_ptr<Bell> bell)
      : settings_(settings),
        conversation_(std::move(conversation)),
        connections_(std::move(connections)),
        bell_(std::move(bell)) {}

  // Does what the news ask for. Not OK when the upload has ended, or the sink is flushing.
  [[nodiscard]] GstFlowReturn tend(Host& host);
  // Since tend().
  [[nodiscard]] bool has_news() const { return bell_->rings() != seen_; }
  // Until there are news since tend(), or a moment, or kOwnerInterval has passed. How long that was
  // is added to `waited`, if any.
  [[nodiscard]] GstFlowReturn wait(Host& host, Deadline until = std::nullopt,
                                   WaitedTime* waited = nullptr);
  // No connection carries the upload now, and another one is waited for.
  [[nodiscard]] bool is_interrupted() const { return interruption_.has_value(); }

 private:
  struct Interruption {
    std::string why;
    std::chrono::nanoseconds patience{0};
    Bell::Clock::time_point until;
  };

  // What the receiver has said of the whole upload.
  [[nodiscard]] GstFlowReturn hear_verdict(Host& host);
  [[nodiscard]] bool is_done() const;
  [[nodiscard]] GstFlowReturn look_at(Host& host, V2Connection& connection);
  [[nodiscard]] GstFlowReturn greet(Host& host, V2Connection& connection);
  [[nodiscard]] GstFlowReturn put_out(Host& host);
  void note_joined(Host& host);
  // Over the connection that has joined first.
  void tell_begin(Host& host, V2Connection& over);
  [[nodiscard]] GstFlowReturn lose(Host& host, V2Connection& connection, const std::string& why);
  // What says that the peer has gone may overtake its last messages, which count.
  [[nodiscard]] GstFlowReturn hear_last_words(Host& host, const V2Connection& connection);
  [[nodiscard]] GstFlowReturn interrupt(Host& host, const std::string& why,
                                        const std::optional<control::Failure>& refusal);
  // It has joined, or the receiver's answer to its hello is under way, or the upload begins with
  // it.
  [[nodiscard]] bool carries(const V2Connection& connection) const;
  // No other one carries the upload.
  [[nodiscard]] bool is_last(const V2Connection& lost) const;
  void post(Host& host, GstStructure* news) const;

  const SenderSettings settings_;
  const std::shared_ptr<V2Conversation> conversation_;
  const std::shared_ptr<V2Connections> connections_;
  const std::shared_ptr<Bell> bell_;

  std::uint64_t seen_ = 0;
  bool has_joined_ = false;
  std::optional<Interruption> interruption_;
};

}  // namespace webrtcupload
