// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is said over all connections of one upload in wire format v2: where the receiver's messages,
// which arrive on the webrtcbins' pc threads, and the streaming thread meet. Control messages are
// read where they arrive: a later one takes the place of an earlier one here, so that none has to
// wait, however many a peer sends while nobody looks.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/control.h"
#include "core/error.h"
#include "core/message.h"
#include "core/mutex.h"
#include "core/v2_sender.h"

namespace webrtcupload {

struct V2Conversation {
  using Clock = std::chrono::steady_clock;

  // A leaf.
  mutable Mutex mutex;
  // From the first bytes of the upload on.
  std::optional<V2Sender> sender GUARDED_BY(mutex);
  // Counts the messages that may have changed something.
  std::uint64_t news GUARDED_BY(mutex) = 0;
  // The first message that the peer must not send, and its word that the upload has failed; nothing
  // counts after either, nor after its word that all is done.
  std::optional<Error> fault GUARDED_BY(mutex);
  std::optional<control::Failure> told GUARDED_BY(mutex);
  // Why the receiver has closed a channel whose upload goes on.
  std::map<ChannelId, control::Failure> refusals GUARDED_BY(mutex);
  // The receiver has been told that the upload is given up, and has answered that.
  bool said_farewell GUARDED_BY(mutex) = false;
  bool answered_farewell GUARDED_BY(mutex) = false;

  // On the pc thread, with the PC lock held.
  void take(ChannelId channel, const Message& message) EXCLUDES(mutex);
  // A hello leaves just now over that channel.
  void expect_ready(ChannelId channel) EXCLUDES(mutex);
  // A keepalive leaves just now over that channel; its echo is measured. Where the answer to hello
  // took less, that counts: a busy machine takes its time for either.
  void expect_echo(ChannelId channel) EXCLUDES(mutex);
  // 0: not known.
  [[nodiscard]] std::chrono::nanoseconds round_trip() const EXCLUDES(mutex);
  // That the upload is given up, to be said over one channel; nothing when there is nobody to tell,
  // or somebody has said it.
  [[nodiscard]] std::optional<std::string> farewell(const std::string& reason) EXCLUDES(mutex);

  // Before a channel has said hello nothing counts that comes over it.
  [[nodiscard]] bool listens(ChannelId channel) const REQUIRES(mutex) {
    return has_not_ended() && sender->has_channel(channel);
  }
  [[nodiscard]] bool has_not_ended() const REQUIRES(mutex) {
    return sender && !fault && !told && !sender->ended();
  }

 private:
  void take(ChannelId channel, const ControlMessage& message) REQUIRES(mutex);
  void take(ChannelId channel, const Error& error) REQUIRES(mutex);
  void hear_echo(ChannelId channel) EXCLUDES(mutex);

  std::optional<ChannelId> ready_from_ GUARDED_BY(mutex);
  Clock::time_point hello_at_ GUARDED_BY(mutex);
  std::chrono::nanoseconds ready_after_ GUARDED_BY(mutex) = std::chrono::nanoseconds::max();
  std::optional<ChannelId> echo_from_ GUARDED_BY(mutex);
  Clock::time_point echo_since_ GUARDED_BY(mutex);
  std::chrono::nanoseconds round_trip_ GUARDED_BY(mutex){0};
};

}  // namespace webrtcupload
