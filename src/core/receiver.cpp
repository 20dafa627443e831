// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/receiver.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/wire_v1.h"

namespace webrtcupload {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

}  // namespace

Receiver::Receiver(const Limits& limits, std::unique_ptr<MessageParser> parser,
                   TimeBegins time_begins)
    : UploadLife(limits),
      max_chunks_(chunk_limit(limits)),
      parser_(std::move(parser)),
      time_begins_(time_begins) {}

Action Receiver::receive(const Message& message, TimePoint now) {
  const ParsedMessage parsed = parser_->parse(message);
  const bool is_keepalive = std::holds_alternative<Keepalive>(parsed);
  if (!is_keepalive || time_begins_ == TimeBegins::kWithTheChannel) opened(now);
  if (is_keepalive) {
    ++statistics_.keepalives;
    return action::Reply{message};
  }
  if (!running()) {
    ++statistics_.ignored;
    return action::Nothing{};
  }
  // Before what it says: this may be a piece of a message, see kMaxMessageSize.
  if (message.bytes.size() > kMaxMessageSize) {
    return reject(oversized_message(message.bytes.size(), kMaxChunkPayload));
  }
  if (const auto* error = std::get_if<Error>(&parsed)) return reject(*error);
  return receive_chunk(std::get<Chunk>(parsed));
}

std::optional<Error> Receiver::check_header(const Chunk& chunk) const {
  if (chunk.total == 0) {
    return Error{ErrorCode::kTooManyChunks, "the peer announces 0 chunks"};
  }
  if (chunk.total > max_chunks_) {
    return Error{ErrorCode::kTooManyChunks, "the peer announces " + text(chunk.total) +
                                                " chunks, at most " + text(max_chunks_) +
                                                " are accepted"};
  }
  if (state() != UploadState::kIdle && chunk.total != statistics_.chunks_announced) {
    return Error{ErrorCode::kTotalChanged, "chunk " + text(chunk.index) + " announces " +
                                               text(chunk.total) + " chunks, earlier ones " +
                                               text(statistics_.chunks_announced)};
  }
  if (chunk.index >= chunk.total) {
    return Error{ErrorCode::kBadIndex, "chunk index " + text(chunk.index) + " is not below the " +
                                           text(chunk.total) + " chunks announced"};
  }
  if (chunk.payload.size() > limits_.max_chunk_size) {
    return Error{ErrorCode::kChunkTooLarge, "chunk " + text(chunk.index) + " has " +
                                                text(chunk.payload.size()) + " bytes, at most " +
                                                text(limits_.max_chunk_size) + " are accepted"};
  }
  return std::nullopt;
}

Action Receiver::receive_chunk(const Chunk& chunk) {
  if (auto error = check_header(chunk)) return reject(std::move(*error));

  // Before the size limit: a repeated chunk adds nothing to the file.
  if (const auto stored = chunks_.find(chunk.index)) {
    pending_ = chunk;
    if (stored->length != chunk.payload.size()) return compared(false);
    return action::Compare{*stored, chunk.payload};
  }
  if (limits_.max_size < statistics_.bytes ||
      chunk.payload.size() > limits_.max_size - statistics_.bytes) {
    return reject({ErrorCode::kTooLarge,
                   "the file has at least " + text(statistics_.bytes + chunk.payload.size()) +
                       " bytes, at most " + text(limits_.max_size) + " are accepted"});
  }
  pending_ = chunk;
  if (state() == UploadState::kIdle) {
    const auto size = static_cast<std::uint32_t>(chunk.payload.size());
    return action::Authorize{{.total_chunks = chunk.total,
                              .first_chunk_size = size,
                              .estimated_size = std::uint64_t{chunk.total} * size}};
  }
  return store(chunk);
}

Action Receiver::authorized(bool allowed) {
  if (!pending_ || state() != UploadState::kIdle) return action::Nothing{};
  if (!allowed) {
    return fail({ErrorCode::kUnauthorized, "the upload was not authorized"});
  }
  statistics_.chunks_announced = pending_->total;
  apply(UploadEvent::kFirstChunk);
  return store(*pending_);
}

Action Receiver::store(const Chunk& chunk) {
  action::Store store{.position = statistics_.bytes, .bytes = chunk.payload};
  const std::uint64_t end = statistics_.bytes + chunk.payload.size();
  if (end <= reserved_) return store;
  const auto largest = std::max(largest_chunk_, static_cast<std::uint32_t>(chunk.payload.size()));
  const std::uint64_t likely = likely_size(end, chunk.total - statistics_.chunks - 1, largest);
  if (statistics_.chunks == 0) store.expected = likely;
  reserved_ = std::min(likely, end + kReserveStep);
  store.reserve = reserved_;
  return store;
}

std::uint64_t Receiver::likely_size(std::uint64_t bytes, std::uint64_t missing,
                                    std::uint32_t chunk_size) const {
  return std::min(limits_.max_size, bytes + missing * chunk_size);
}

void Receiver::stored(TimePoint now) {
  if (!pending_ || state() != UploadState::kUploading) return;
  const Chunk chunk = *std::exchange(pending_, std::nullopt);
  const auto size = static_cast<std::uint32_t>(chunk.payload.size());
  chunks_.insert(chunk.index, {statistics_.bytes, size});
  progressed(size, now);
  ++statistics_.chunks;
  largest_chunk_ = std::max(largest_chunk_, size);
  if (statistics_.chunks == statistics_.chunks_announced) completed(now);
}

Action Receiver::compared(bool equal) {
  const auto chunk = std::exchange(pending_, std::nullopt);
  if (!chunk || state() != UploadState::kUploading) return action::Nothing{};
  if (equal) {
    ++statistics_.duplicates;
    return action::Nothing{};
  }
  return reject({ErrorCode::kConflictingChunk,
                 "chunk " + text(chunk->index) + " came again with other bytes (" +
                     text(chunk->payload.size()) + ", stored were " +
                     text(chunks_.find(chunk->index).value_or(Extent{}).length) + ")"});
}

std::string Receiver::arrived() const {
  const std::string announced =
      statistics_.chunks == 0 ? "" : " of " + text(statistics_.chunks_announced);
  return text(statistics_.chunks) + announced + " chunks have arrived";
}

std::optional<std::uint64_t> Receiver::expected_size() const {
  if (statistics_.chunks == 0) return std::nullopt;
  // At most this, as long as no later chunk is larger than those seen; exact once none is missing.
  const std::uint64_t missing = statistics_.chunks_announced - statistics_.chunks;
  return likely_size(statistics_.bytes, missing, largest_chunk_);
}

int Receiver::percent() const {
  if (statistics_.chunks_announced == 0) return 0;
  return static_cast<int>(std::uint64_t{statistics_.chunks} * 100 / statistics_.chunks_announced);
}

}  // namespace webrtcupload
