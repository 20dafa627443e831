// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/v2_conversation.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/wire_v2.h"
#include "json/control_reader.h"
#include "json/control_writer.h"

namespace webrtcupload {
namespace {

Result<std::optional<ControlMessage>> read(const Message& message) {
  if (message.kind == Message::Kind::kBinary) {
    return Error{ErrorCode::kMalformedMessage, "a binary message of " +
                                                   std::to_string(message.bytes.size()) +
                                                   " bytes, which only the sender may send"};
  }
  return read_control({reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()});
}

}  // namespace

void V2Conversation::take(ChannelId channel, const Message& message) {
  if (message.bytes.size() <= kV1MaxKeepaliveSize) return hear_echo(channel);
  {
    const MutexLock lock(mutex);
    if (!listens(channel) && !said_farewell) return;
  }
  const auto said = read(message);
  const MutexLock lock(mutex);
  if (said_farewell && said && said.value() &&
      std::holds_alternative<control::Failure>(*said.value())) {
    answered_farewell = true;
  }
  if (!listens(channel)) return;
  ++news;
  if (!said) {
    take(channel, said.error());
  } else if (said.value()) {
    take(channel, *said.value());
  }
}

void V2Conversation::take(ChannelId channel, const ControlMessage& message) {
  if (ready_from_ == channel && std::holds_alternative<control::Ready>(message)) {
    ready_from_.reset();
    ready_after_ = Clock::now() - hello_at_;
  }
  const auto* failure = std::get_if<control::Failure>(&message);
  sender->received(channel, message);
  if (!failure) return;
  if (sender->failure()) {
    told = *failure;
  } else {
    refusals[channel] = *failure;
  }
}

void V2Conversation::take(ChannelId channel, const Error& error) {
  const Error heard{error.code, "what the receiver says is not understood: " + error.message};
  // Somebody else may be at the other end of a channel that has not been let in.
  if (!sender->has_joined(channel) && sender->connections() > 0) {
    return take(channel, ControlMessage(control::Failure{.code = std::string(to_string(heard.code)),
                                                         .message = heard.message}));
  }
  fault = heard;
}

void V2Conversation::expect_ready(ChannelId channel) {
  const MutexLock lock(mutex);
  ready_from_ = channel;
  hello_at_ = Clock::now();
}

void V2Conversation::expect_echo(ChannelId channel) {
  const MutexLock lock(mutex);
  echo_from_ = channel;
  echo_since_ = Clock::now();
}

void V2Conversation::hear_echo(ChannelId channel) {
  const MutexLock lock(mutex);
  if (echo_from_ != channel) return;
  echo_from_.reset();
  round_trip_ = std::min<std::chrono::nanoseconds>(Clock::now() - echo_since_, ready_after_);
}

std::chrono::nanoseconds V2Conversation::round_trip() const {
  const MutexLock lock(mutex);
  return round_trip_;
}

std::optional<std::string> V2Conversation::farewell(const std::string& reason) {
  const MutexLock lock(mutex);
  if (!sender || told || sender->ended() || std::exchange(said_farewell, true)) return std::nullopt;
  return write_control(control::Cancel{.reason = reason});
}

}  // namespace webrtcupload
