// SPDX-License-Identifier: LGPL-2.1-or-later

#include <algorithm>
#include <utility>

#include "core/v2_receiver.h"
#include "core/wire_v2.h"

namespace webrtcupload {
namespace {

// Read back for one message at most, unless it is the last one: sixteen times what it brought, so
// that what came early is soon made up for, and no message takes long.
constexpr std::uint64_t kCatchUp = 16 * kHashStep;

std::string text(std::uint64_t number) { return std::to_string(number); }

Error unexpected(std::string message) {
  return {ErrorCode::kUnexpectedMessage, std::move(message)};
}

template <typename Kind>
const Kind* get_if(const std::optional<ControlMessage>& message) {
  return message ? std::get_if<Kind>(&*message) : nullptr;
}

}  // namespace

// --- messages
// -------------------------------------------------------------------------------------------------

Action V2Receiver::waiting(ChannelId channel, std::uint64_t bytes, TimePoint now) {
  const auto from = channels_.find(channel);
  if (from == channels_.end()) return action::Nothing{};
  now_ = now;
  from->second.waiting = bytes;
  const bool joined = from->second.joined;
  const std::uint64_t all = joined ? all_waiting() : bytes;
  if (joined ? credit_.allows(all) : all <= kMaxControlSize) return action::Nothing{};
  const Error error{ErrorCode::kCreditExceeded, text(all) + " bytes of messages wait, which is " +
                                                    "more than the peer may send"};
  if (!running()) return end_channel(channel, error, false);
  pending_ = Pending{.channel = channel};
  return refuse_message(error);
}

std::uint64_t V2Receiver::all_waiting() const {
  std::uint64_t all = 0;
  for (const auto& [channel, state] : channels_) {
    if (state.joined) all += std::min(state.waiting, UINT64_MAX - all);
  }
  return all;
}

Action V2Receiver::receive(ChannelId channel, const Message& message, TimePoint now) {
  now_ = now;
  if (const auto from = channels_.find(channel); from != channels_.end()) {
    from->second.heard_at = now;
    from->second.waiting -= std::min(from->second.waiting, counted_bytes(message));
  }
  const ParsedMessage parsed = parser_->parse(message);
  if (std::holds_alternative<Keepalive>(parsed)) {
    ++statistics_.keepalives;
    return action::Reply{message};
  }
  // At the end of an upload a client may still ask how it ended.
  const bool may_ask = std::holds_alternative<ControlText>(parsed);
  if (!channels_.contains(channel) || (!running() && !may_ask)) return ignore();
  // Whatever it is: whoever speaks takes up the upload's time.
  opened(now);
  channels_.at(channel).has_spoken = true;
  pending_ = Pending{.channel = channel};
  // Before what it says: this may be a piece of a message, see kMaxMessageSize.
  if (message.bytes.size() > kMaxMessageSize) {
    return refuse_message(oversized_message(message.bytes.size(), max_payload()));
  }
  if (const auto* error = std::get_if<Error>(&parsed)) return refuse_message(*error);
  if (const auto* said = std::get_if<ControlText>(&parsed)) {
    return action::ReadControl{said->text};
  }
  return receive_block(std::get<Block>(parsed));
}

// --- control messages
// -------------------------------------------------------------------------------------------------

Action V2Receiver::control(const Result<std::optional<ControlMessage>>& message) {
  if (!pending_) return action::Nothing{};
  if (!message) return refuse_message(message.error());
  if (const auto* hello = get_if<control::Hello>(message.value())) return receive_control(*hello);
  if (!running()) return ignore();
  if (const auto* end = get_if<control::End>(message.value())) return receive_control(*end);
  if (const auto* cancel = get_if<control::Cancel>(message.value())) {
    return receive_control(*cancel);
  }
  // Of a type that is not known, or that only servers send.
  drop_pending();
  return action::Nothing{};
}

Action V2Receiver::ignore() {
  ++statistics_.ignored;
  drop_pending();
  return action::Nothing{};
}

Action V2Receiver::receive_control(const control::Hello& hello) {
  if (channels_.at(pending_->channel).joined) {
    return refuse_message(unexpected("a second hello came over the channel"));
  }
  if (!hello.upload && state() == UploadState::kIdle) return begin(hello);
  return join(hello);
}

Action V2Receiver::begin(const control::Hello& hello) {
  if (hello.size.value_or(0) > max_size()) {
    return refuse_message(beyond_max_size(*hello.size));
  }
  pending_->hello = hello;
  request_ = {.estimated_size = hello.size.value_or(0),
              .size = hello.size,
              .name = hello.name,
              .content_type = hello.content_type,
              .sha256 = hello.sha256};
  return action::Authorize{request_};
}

Action V2Receiver::authorized(bool allowed, TimePoint now) {
  if (!pending_ || !pending_->hello || state() != UploadState::kIdle) return action::Nothing{};
  if (!allowed) return fail({ErrorCode::kUnauthorized, "the upload was not authorized"});
  const control::Hello hello = *std::exchange(pending_->hello, std::nullopt);
  size_ = hello.size;
  named_sum_ = hello.sha256;
  nonce_ = hello.nonce;
  has_begun_ = true;
  now_ = now;
  begun(now);
  // They wait with their hello until they know what to join.
  for (auto& [channel, state] : channels_) state.opened_at = now;
  said_all_ = hello.size && hello.sha256;
  apply(UploadEvent::kFirstChunk);
  send_ready(pending_->channel);
  return settle();
}

// Who knows neither the id nor the nonce is told nothing of the upload, not even whether there is
// one.
bool V2Receiver::may_join(const control::Hello& hello) const {
  if (state() == UploadState::kIdle) return false;
  if (hello.upload) return *hello.upload == id_;
  return hello.nonce && nonce_ && *hello.nonce == *nonce_;
}

Action V2Receiver::join(const control::Hello& hello) {
  if (!may_join(hello)) {
    return refuse_message({ErrorCode::kUnknownUpload, "there is no upload with this id to join"});
  }
  // It comes back for an upload that has failed meanwhile.
  if (const auto& reason = error()) return end_channel(pending_->channel, *reason, false);
  if (auto error = contradiction(hello.size, hello.sha256)) {
    return refuse_message(std::move(*error));
  }
  return let_in(hello);
}

Action V2Receiver::let_in(const control::Hello& hello) {
  const ChannelId channel = pending_->channel;
  channels_.at(channel).joined = true;
  give_way(channel);
  send_ready(channel);
  // A client that lost the connection before it was told.
  if (complete()) {
    send(channel, control::Done{*size_, *sum_});
    drop_pending();
    return action::Nothing{};
  }
  end_interruption(now_);
  if (hello.size) size_ = hello.size;
  if (hello.sha256) named_sum_ = hello.sha256;
  said_all_ = said_all_ || (hello.size && hello.sha256);
  return settle();
}

void V2Receiver::give_way(ChannelId joined) {
  if (connections() <= std::max(limits_.max_connections, 1U)) return;
  const auto quiet_since = [joined](const auto& entry) {
    const bool may_go = entry.second.joined && entry.first != joined;
    return may_go ? entry.second.heard_at : TimePoint::max();
  };
  const ChannelId quietest = std::ranges::min_element(channels_, {}, quiet_since)->first;
  const auto pending = pending_;
  static_cast<void>(end_channel(
      quietest,
      {ErrorCode::kTooManyChannels, "another channel has joined, and at most " +
                                        text(limits_.max_connections) + " are accepted"},
      true));
  pending_ = pending;
}

std::optional<Error> V2Receiver::contradiction(std::optional<std::uint64_t> size,
                                               const std::optional<Sha256Sum>& sum) const {
  if (size && size_ && *size != *size_) {
    return Error{ErrorCode::kSizeMismatch, "the peer says that the file has " + text(*size) +
                                               " bytes, and said " + text(*size_) + " before"};
  }
  if (size.value_or(0) > max_size()) return beyond_max_size(*size);
  if (size && *size < ranges_.end()) {
    return Error{ErrorCode::kSizeMismatch, "the peer says that the file has " + text(*size) +
                                               " bytes, and has sent its bytes up to " +
                                               text(ranges_.end())};
  }
  const auto& known = named_sum_ ? named_sum_ : sum_;
  if (sum && known && *sum != *known) {
    return Error{ErrorCode::kHashMismatch,
                 "the peer names the SHA-256 " + to_hex(*sum) + ", and it is " + to_hex(*known)};
  }
  return std::nullopt;
}

Action V2Receiver::receive_control(const control::End& end) {
  if (!channels_.at(pending_->channel).joined) {
    return refuse_message(unexpected("an end came before the channel's hello"));
  }
  if (auto error = contradiction(end.size, end.sha256)) return refuse_message(std::move(*error));
  size_ = end.size;
  if (end.sha256) named_sum_ = end.sha256;
  said_all_ = true;
  return settle();
}

Action V2Receiver::receive_control(const control::Cancel& cancel) {
  const bool is_alone = state() == UploadState::kIdle && channels_.size() == 1;
  if (!channels_.at(pending_->channel).joined && !is_alone) {
    return refuse_message(unexpected("a cancel came before the channel's hello"));
  }
  return fail({ErrorCode::kCancelled, "the client cancelled the upload" +
                                          (cancel.reason ? ": " + *cancel.reason : std::string())});
}

Error V2Receiver::beyond_max_size(std::uint64_t size) const {
  return {ErrorCode::kTooLarge, "the file has at least " + text(size) + " bytes, at most " +
                                    text(max_size()) + " are accepted"};
}

// --- blocks
// -------------------------------------------------------------------------------------------------

std::optional<Error> V2Receiver::check_block(const Block& block) {
  const std::uint64_t length = block.payload.size();
  if (!channels_.at(pending_->channel).joined) {
    return unexpected("a block came before the channel's hello");
  }
  const std::uint32_t most = std::max(told_payload_, max_payload());
  if (length > most) {
    return Error{ErrorCode::kChunkTooLarge, "the block from byte " + text(block.offset) +
                                                " on has " + text(length) + " bytes, at most " +
                                                text(most) + " are accepted"};
  }
  if (block.offset > max_size() || length > max_size() - block.offset) {
    const std::uint64_t end = block.offset + length;
    return beyond_max_size(end < length ? UINT64_MAX : end);
  }
  const Range range{block.offset, block.offset + length};
  if (size_ && range.end > *size_) {
    return Error{ErrorCode::kSizeMismatch, "the peer says that the file has " + text(*size_) +
                                               " bytes, and sends its bytes up to " +
                                               text(range.end)};
  }
  if (ranges_.holes_with(range) > kMaxHoles) {
    return Error{ErrorCode::kTooFragmented,
                 "what has arrived has more than " + text(kMaxHoles) + " gaps: " + arrived()};
  }
  return std::nullopt;
}

Action V2Receiver::receive_block(const Block& block) {
  if (auto error = check_block(block)) return refuse_message(std::move(*error));
  pending_->block = block;
  pending_->rest = {block.offset, block.offset + block.payload.size()};
  pending_->catch_up = kCatchUp;
  return store_or_compare();
}

// First everything that is stored already is compared, so that nothing of a block that contradicts
// is stored.
Action V2Receiver::store_or_compare() {
  const Block& block = *pending_->block;
  if (const auto stored = ranges_.first_stored(pending_->rest)) {
    pending_->rest.begin = stored->end;
    return action::Compare{{stored->begin, stored->length()},
                           block.payload.subspan(stored->begin - block.offset, stored->length())};
  }
  const Range whole{block.offset, block.offset + block.payload.size()};
  const auto first = ranges_.first_missing(whole);
  if (!first) {
    ++statistics_.duplicates;
    return handled_block();
  }
  // What is stored in between is the same, and is written once more: that is one write in place of
  // many.
  return store({first->begin, ranges_.last_missing(whole)->end});
}

Action V2Receiver::store(Range missing) {
  const Block& block = *pending_->block;
  pending_->rest = missing;
  action::Store store{
      .position = missing.begin,
      .bytes = block.payload.subspan(missing.begin - block.offset, missing.length())};
  // By how much has come and not by where it lies: a few bytes at the end of a large file take no
  // room for what is before them.
  const std::uint64_t most = size_.value_or(max_size());
  // Some of `missing` may be stored already.
  const std::uint64_t after = std::min(most, ranges_.bytes() + missing.length());
  if (after <= reserved_) return store;
  if (ranges_.bytes() == 0) store.expected = size_.value_or(0);
  reserved_ = std::max(after, std::min(most, after + kReserveStep));
  store.reserve = reserved_;
  return store;
}

Action V2Receiver::stored(TimePoint now) {
  if (!pending_ || !pending_->block || state() != UploadState::kUploading) {
    return action::Nothing{};
  }
  now_ = now;
  const std::uint64_t before = ranges_.bytes();
  ranges_.add(pending_->rest);
  progressed(ranges_.bytes() - before, now);
  hash_block(*pending_->block);
  return handled_block();
}

Action V2Receiver::handled_block() {
  credit_.received(pending_->channel, pending_->block->payload.size());
  pending_->block.reset();
  Channel& channel = channels_.at(pending_->channel);
  if (!channel.ack_due) channel.ack_due = now_ + kAckDelay;
  return settle();
}

// Of a block that is stored: what comes next in the file's order needs no reading back.
void V2Receiver::hash_block(const Block& block) {
  const std::uint64_t end = block.offset + block.payload.size();
  if (block.offset > hashed_ || end <= hashed_) return;
  hash_.update(block.payload.subspan(hashed_ - block.offset));
  hashed_ = end;
}

Action V2Receiver::compared(bool equal) {
  if (!pending_ || !pending_->block || state() != UploadState::kUploading) {
    return action::Nothing{};
  }
  if (equal) return store_or_compare();
  const Block& block = *pending_->block;
  return refuse_message(
      {ErrorCode::kConflictingChunk, "bytes before byte " + text(pending_->rest.begin) +
                                         " came again and are others, in the block of " +
                                         text(block.payload.size()) + " bytes from byte " +
                                         text(block.offset) + " on"});
}

// --- what follows a message
// -------------------------------------------------------------------------------------------------

Action V2Receiver::settle() {
  const std::uint64_t contiguous = ranges_.contiguous_bytes();
  const bool is_last = knows_all() && contiguous == *size_;
  if (hashed_ < contiguous && (is_last || pending_->catch_up > 0)) {
    const std::uint64_t step = std::min(contiguous - hashed_, kHashStep);
    pending_->catch_up -= std::min(pending_->catch_up, step);
    return action::Hash{{hashed_, step}};
  }
  drop_pending();
  if (is_last) return try_to_complete();
  send_acks();
  return action::Nothing{};
}

Action V2Receiver::hashed(ByteView bytes) {
  if (!pending_ || state() != UploadState::kUploading) return action::Nothing{};
  if (bytes.empty()) {
    return fail({ErrorCode::kStorageFailed, "nothing was read of what is stored"});
  }
  hash_.update(bytes);
  hashed_ += bytes.size();
  return settle();
}

Action V2Receiver::try_to_complete() {
  const Sha256Sum sum = hash_.sum();
  if (named_sum_ && *named_sum_ != sum) {
    return reject({ErrorCode::kHashMismatch, "the file that has arrived has the SHA-256 " +
                                                 to_hex(sum) + ", the peer's has " +
                                                 to_hex(*named_sum_)});
  }
  sum_ = sum;
  completed(now_);
  for (auto& [channel, state] : channels_) {
    if (!state.joined) continue;
    send_ack(channel);
    send(channel, control::Done{*size_, sum});
  }
  return action::Nothing{};
}

}  // namespace webrtcupload
