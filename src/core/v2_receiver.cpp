// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/v2_receiver.h"

#include <algorithm>
#include <utility>

#include "core/redaction.h"
#include "core/wire_v2.h"

namespace webrtcupload {
namespace {

// So that no sum of them is beyond 64 bits.
constexpr std::uint64_t kMostWindow = control::kNumberLimit / 4;

std::string text(std::uint64_t number) { return std::to_string(number); }

// Of a time-out that is told to a client, not less than there is, since 0 is none. One below zero
// is what became of "for ever".
std::uint64_t whole_seconds(Duration duration) {
  if (duration < Duration::zero()) return control::kNumberLimit - 1;
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

V2Receiver::V2Receiver(const Limits& limits, const UploadId& id,
                       std::unique_ptr<MessageParser> parser, Sha256 hash, TimeBegins time_begins)
    : UploadLife(limits),
      id_(id),
      parser_(std::move(parser)),
      hash_(std::move(hash)),
      time_begins_(time_begins),
      credit_(std::min(limits.window, kMostWindow), max_payload()) {}

void V2Receiver::limits_changed() {
  credit_.resize(std::min(limits_.window, kMostWindow), max_payload());
}

std::uint64_t V2Receiver::max_size() const {
  return std::min(limits_.max_size, control::kNumberLimit - 1);
}

std::uint32_t V2Receiver::max_payload() const {
  return std::min(limits_.max_chunk_size, kMaxBlockPayload);
}

// --- channels
// -------------------------------------------------------------------------------------------------

void V2Receiver::channel_opened(ChannelId channel, TimePoint now) {
  now_ = now;
  if (time_begins_ == TimeBegins::kWithTheChannel) opened(now);
  if (channels_.contains(channel)) return;
  if (channels_.size() - connections() >= kMaxStrangers) {
    const Error error{ErrorCode::kTooManyChannels,
                      text(kMaxStrangers) + " other channels have said nothing yet"};
    return send_failure(channel, error, true);
  }
  channels_.try_emplace(channel, Channel{.opened_at = now, .heard_at = now});
}

Action V2Receiver::channel_closed(ChannelId channel, const std::string& why, TimePoint now) {
  now_ = now;
  if (channels_.erase(channel) == 0) return action::Nothing{};
  credit_.remove(channel);
  return channel_left({ErrorCode::kPeerGone, why + ": " + arrived()});
}

Action V2Receiver::channel_left(const Error& why) {
  if (!running()) return action::Nothing{};
  if (state() == UploadState::kIdle) {
    // Nobody has begun: another channel may still do so, if there is one, or may come.
    if (time_begins_ == TimeBegins::kWithTheChannel) {
      return channels_.empty() ? fail(why) : action::Nothing{};
    }
    const auto has_spoken = [](const auto& entry) { return entry.second.has_spoken; };
    if (std::ranges::none_of(channels_, has_spoken)) closed_again();
    return action::Nothing{};
  }
  if (connections() > 0) return action::Nothing{};
  if (limits_.resume_timeout == Duration::zero()) return fail(why);
  interrupt(now_);
  return action::Nothing{};
}

std::size_t V2Receiver::connections() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(channels_, [](const auto& entry) { return entry.second.joined; }));
}

Action V2Receiver::refuse_message(Error error) {
  const ChannelId channel = pending_->channel;
  const bool joined = channels_.at(channel).joined;
  if (!running() && joined) return ignore();
  const bool is_alone = state() == UploadState::kIdle && channels_.size() == 1;
  if (is_alone || (joined && error.code != ErrorCode::kCorruptChunk)) {
    return reject(std::move(error));
  }
  ++statistics_.rejected;
  return end_channel(channel, error, joined);
}

Action V2Receiver::end_channel(ChannelId channel, const Error& error, bool resumable) {
  drop_pending();
  channels_.erase(channel);
  credit_.remove(channel);
  const bool goes_on = connections() > 0 || limits_.resume_timeout != Duration::zero();
  send_failure(channel, error, resumable && goes_on);
  return channel_left(error);
}

void V2Receiver::failed(const Error& error) {
  for (const auto& [channel, state] : std::exchange(channels_, {})) {
    if (state.joined || !has_begun_) {
      send_failure(channel, error, false);
    } else {
      // Perhaps a stranger, to whom the reason is none of their business. Whoever knows the upload
      // may come back and ask.
      outputs_.push_back({channel, std::nullopt});
    }
    credit_.remove(channel);
  }
}

// --- outputs
// -------------------------------------------------------------------------------------------------

std::vector<Output> V2Receiver::take_outputs() { return std::exchange(outputs_, {}); }

void V2Receiver::send(ChannelId channel, ControlMessage message) {
  outputs_.push_back({channel, std::move(message)});
}

void V2Receiver::send_ready(ChannelId channel) {
  Channel& to = channels_.at(channel);
  to.joined = true;
  credit_.add(channel);
  const std::uint64_t credit = credit_.credit(channel);
  credit_.told(channel, credit);
  told_payload_ = std::max(told_payload_, max_payload());
  send(channel, control::Ready{.upload = id_,
                               .have = ranges_.list(control::most_ranges(ranges_.end())),
                               .credit = credit,
                               .max_payload = max_payload(),
                               .max_size = max_size(),
                               .max_connections = limits_.max_connections,
                               .resume_timeout = whole_seconds(limits_.resume_timeout)});
}

void V2Receiver::send_ack(ChannelId channel) {
  channels_.at(channel).ack_due.reset();
  const std::uint64_t credit = credit_.credit(channel);
  credit_.told(channel, credit);
  send(channel,
       control::Ack{
           .stored = ranges_.bytes(), .received = credit_.received(channel), .credit = credit});
}

// Also to channels that the message did not come over: what one has sent makes room for others.
void V2Receiver::send_acks() {
  for (const auto& [channel, state] : channels_) {
    if (!state.joined) continue;
    const bool due = state.ack_due && now_ >= *state.ack_due;
    if (due || credit_.should_tell(channel)) send_ack(channel);
  }
}

void V2Receiver::send_failure(ChannelId channel, const Error& error, bool resumable) {
  send(channel, control::Failure{.code = std::string(to_string(error.code)),
                                 .message = text_for_client(error.message),
                                 .resumable = resumable});
  outputs_.push_back({channel, std::nullopt});
}

// --- time
// -------------------------------------------------------------------------------------------------

Action V2Receiver::tick(TimePoint now) {
  now_ = now;
  Action action = check_times(now);
  if (!std::holds_alternative<action::Nothing>(action)) return action;
  if (running()) send_acks();
  if (state() != UploadState::kIdle) end_silent_channels();
  if (!is_cut_off()) return action;
  pending_ = Pending{};
  return settle();
}

bool V2Receiver::is_cut_off() const {
  return state() == UploadState::kUploading && !pending_ && knows_all() &&
         ranges_.contiguous_bytes() == *size_;
}

// Strangers to the upload, which say nothing. After its end, too: they would keep out who comes to
// ask how it ended.
void V2Receiver::end_silent_channels() {
  std::vector<ChannelId> silent;
  for (const auto& [channel, state] : channels_) {
    const auto due = expiry(state.opened_at, limits_.idle_timeout);
    if (!state.joined && due && now_ >= *due) silent.push_back(channel);
  }
  for (const ChannelId channel : silent) {
    static_cast<void>(end_channel(
        channel, {ErrorCode::kIdleTimeout, "no hello for " + seconds_text(limits_.idle_timeout)},
        false));
  }
}

std::optional<TimePoint> V2Receiver::deadline() const {
  if (is_cut_off()) return now_;
  std::optional<TimePoint> first = running() ? next_time() : std::nullopt;
  for (const auto& [channel, state] : channels_) {
    if (state.ack_due && running()) first = earlier(first, state.ack_due);
    if (!state.joined && this->state() != UploadState::kIdle) {
      first = earlier(first, expiry(state.opened_at, limits_.idle_timeout));
    }
  }
  return first;
}

// --- how far it is
// -------------------------------------------------------------------------------------------------

int V2Receiver::percent() const {
  if (complete()) return 100;
  if (!size_ || *size_ == 0) return 0;
  // No overflow: sizes are below 2^53. All bytes are no whole upload as long as the client has more
  // to say.
  return std::min(static_cast<int>(ranges_.bytes() * 100 / *size_), 99);
}

std::optional<Extent> V2Receiver::locate(std::uint64_t offset) const {
  const std::uint64_t contiguous = ranges_.contiguous_bytes();
  if (offset >= contiguous) return std::nullopt;
  return Extent{offset, contiguous - offset};
}

std::string V2Receiver::arrived() const {
  const std::string of = size_ ? " of " + text(*size_) : "";
  return text(ranges_.bytes()) + of + " bytes have arrived";
}

}  // namespace webrtcupload
