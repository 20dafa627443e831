// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/v2_sender.h"

#include <algorithm>
#include <utility>

namespace webrtcupload {

V2Sender::V2Sender(control::Hello hello, std::uint32_t block_size)
    : hello_(std::move(hello)), block_size_(block_size), id_(hello_.upload) {
  if (hello_.size && hello_.sha256) end_ = control::End{*hello_.size, hello_.sha256};
}

// --- the source
// -------------------------------------------------------------------------------------------------

void V2Sender::available(std::uint64_t end) {
  available_ = std::max(available_, end);
  check_done();
}

void V2Sender::end(std::uint64_t size, const std::optional<Sha256Sum>& sum) {
  if (end_) return;
  end_ = control::End{size, sum};
  check_done();
  // Over all of them: each may be lost with what was said over it.
  for (const auto& [channel, state] : channels_) {
    if (state.joined) say_end(channel);
  }
}

std::uint64_t V2Sender::needed_from() const {
  std::uint64_t from = handed_out_.contiguous_bytes();
  for (const auto& [channel, state] : channels_) {
    for (const Range& range : state.under_way) from = std::min(from, range.begin);
  }
  return from;
}

// --- channels
// -------------------------------------------------------------------------------------------------

void V2Sender::channel_opened(ChannelId channel) {
  if (ended()) return outputs_.push_back({channel, std::nullopt});
  Channel& opened = channels_[channel];
  if (id_ || !begins_over_) say_hello(channel, opened);
}

void V2Sender::say_hello(ChannelId channel, Channel& to) {
  to.said_hello = true;
  hello_.upload = id_;
  if (!id_) begins_over_ = channel;
  send(channel, hello_);
}

void V2Sender::say_end(ChannelId channel) { send(channel, *end_); }

void V2Sender::channel_lost(ChannelId channel) {
  const auto lost = channels_.extract(channel);
  if (lost.empty()) return;
  for (const Range& range : lost.mapped().under_way) handed_out_.remove(range);
  if (begins_over_ != channel) return;
  // It may have begun an upload that nobody knows the id of. Another channel begins anew.
  begins_over_.reset();
  if (!id_ && !channels_.empty()) say_hello(channels_.begin()->first, channels_.begin()->second);
}

std::size_t V2Sender::connections() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(channels_, [](const auto& entry) { return entry.second.joined; }));
}

void V2Sender::received(ChannelId channel, const ControlMessage& message) {
  const auto entry = channels_.find(channel);
  if (entry == channels_.end() || ended()) return;
  Channel& from = entry->second;
  if (const auto* ready = std::get_if<control::Ready>(&message)) {
    take(channel, from, *ready);
  } else if (const auto* failure = std::get_if<control::Failure>(&message)) {
    take(channel, from, *failure);
  } else if (!from.joined) {
    return;
  } else if (const auto* ack = std::get_if<control::Ack>(&message)) {
    stored_ = std::max(stored_, ack->stored);
    take(from, *ack);
  } else if (const auto* done = std::get_if<control::Done>(&message)) {
    take(*done);
  }
}

void V2Sender::take(ChannelId channel, Channel& from, const control::Ready& ready) {
  if (from.joined || !from.said_hello) return;
  // Not the upload that was to be joined.
  if (id_ && !(*id_ == ready.upload)) return close(channel);
  const bool begins = !id_;
  id_ = ready.upload;
  begins_over_.reset();
  server_ = ready;
  from.joined = true;
  from.credit = ready.credit;
  for (const Range& range : ready.have) {
    if (!range.empty()) handed_out_.add(range);
  }
  // What was said over a channel that is lost may not have arrived.
  const bool hello_said_all = begins && hello_.size && hello_.sha256;
  if (end_ && !hello_said_all) say_end(channel);
  for (auto& [other, state] : channels_) {
    if (!state.said_hello) say_hello(other, state);
  }
}

void V2Sender::take(Channel& from, const control::Ack& ack) {
  from.credit = std::max(from.credit, ack.credit);
  // No more than was sent, whatever the server says.
  const std::uint64_t received = std::min(ack.received, from.sent);
  while (!from.under_way.empty() && from.received + from.under_way.front().length() <= received) {
    from.received += from.under_way.front().length();
    from.under_way.pop_front();
  }
}

void V2Sender::take(const control::Done& done) {
  stored_ = done.size;
  done_ = done;
  check_done();
  close_all();
}

void V2Sender::check_done() {
  if (!done_) return;
  const auto size = end_ ? std::optional(end_->size) : hello_.size;
  const auto& sum = end_ ? end_->sha256 : hello_.sha256;
  // A server may be done before the source is: it has had the rest from somebody else.
  const bool fits = (!size || *size == done_->size) && (!sum || *sum == done_->sha256) &&
                    available_ <= done_->size;
  if (fits) return;
  failure_ = control::Failure{.code = std::string(to_string(ErrorCode::kHashMismatch)),
                              .message = "the server says that it has " +
                                         std::to_string(done_->size) + " bytes with the SHA-256 " +
                                         to_hex(done_->sha256) + ", which is not the file"};
  done_.reset();
}

void V2Sender::take(ChannelId channel, Channel& from, const control::Failure& failure) {
  // Others go on without a channel that was not let in.
  const bool others = connections() > (from.joined ? 1 : 0);
  if (failure.resumable || (!from.joined && others)) return close(channel);
  failure_ = failure;
  close_all();
}

bool V2Sender::has_joined(ChannelId channel) const {
  const auto entry = channels_.find(channel);
  return entry != channels_.end() && entry->second.joined;
}

std::optional<Range> V2Sender::next_block() const {
  if (!server_ || ended()) return std::nullopt;
  auto range = handed_out_.first_missing({0, available_});
  if (!range) return std::nullopt;
  const std::uint64_t most =
      std::clamp<std::uint64_t>(server_->max_payload, 1, std::max<std::uint32_t>(block_size_, 1));
  range->end = std::min(range->end, range->begin + most);
  return range;
}

// A whole block or none: pieces would only make more messages.
bool V2Sender::has_credit(const Channel& channel, const Range& block) {
  return channel.joined && channel.under_way.size() < kMaxUnderWay &&
         block.length() <= channel.credit - std::min(channel.credit, channel.sent);
}

bool V2Sender::has_credit() const {
  const auto block = next_block();
  return block && std::ranges::any_of(channels_, [&](const auto& entry) {
           return has_credit(entry.second, *block);
         });
}

std::optional<Range> V2Sender::next(ChannelId channel) {
  const auto entry = channels_.find(channel);
  if (entry == channels_.end()) return std::nullopt;
  Channel& to = entry->second;
  const auto range = next_block();
  if (!range || !has_credit(to, *range)) return std::nullopt;
  handed_out_.add(*range);
  to.under_way.push_back(*range);
  to.sent += range->length();
  sent_bytes_ += range->length();
  return range;
}

std::vector<Output> V2Sender::take_outputs() { return std::exchange(outputs_, {}); }

void V2Sender::send(ChannelId channel, ControlMessage message) {
  outputs_.push_back({channel, std::move(message)});
}

void V2Sender::close(ChannelId channel) {
  channel_lost(channel);
  outputs_.push_back({channel, std::nullopt});
}

void V2Sender::close_all() {
  for (const auto& [channel, state] : std::exchange(channels_, {})) {
    outputs_.push_back({channel, std::nullopt});
  }
}

}  // namespace webrtcupload
