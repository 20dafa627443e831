// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/receiver.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "core/wire_v1.h"

namespace webrtcupload {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

// "30 s", "0.5 s".
std::string seconds(Duration duration) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g s", std::chrono::duration<double>(duration).count());
  return buffer;
}

// `since` + `limit`, or nothing when there is no limit or the sum is beyond time. A limit below
// zero is what became of an unsigned "for ever".
std::optional<TimePoint> expiry(TimePoint since, Duration limit) {
  if (limit <= Duration::zero() || since > TimePoint::max() - limit) return std::nullopt;
  return since + limit;
}

bool passed(std::optional<TimePoint> moment, TimePoint now) { return moment && now >= *moment; }

}  // namespace

Receiver::Receiver(const Limits& limits, std::unique_ptr<MessageParser> parser,
                   TimeBegins time_begins)
    : limits_(limits),
      max_chunks_(chunk_limit(limits)),
      parser_(std::move(parser)),
      time_begins_(time_begins) {}

void Receiver::opened(TimePoint now) {
  if (statistics_.opened_at) return;
  statistics_.opened_at = now;
  progressed_at_ = now;
}

void Receiver::resume(const Limits& limits, TimePoint now) {
  limits_ = limits;
  max_chunks_ = chunk_limit(limits);
  pending_.reset();
  progressed_at_ = now;
  minute_begins_ = now;
  bytes_before_ = statistics_.bytes;
}

void Receiver::kept_waiting(Duration duration) {
  const TimePoint latest = std::max(minute_begins_, progressed_at_);
  if (duration <= Duration::zero() || latest > TimePoint::max() - duration) return;
  minute_begins_ += duration;
  progressed_at_ += duration;
}

Action Receiver::receive(const Message& message, TimePoint now) {
  const ParsedMessage parsed = parser_->parse(message);
  const bool is_keepalive = std::holds_alternative<Keepalive>(parsed);
  if (!is_keepalive || time_begins_ == TimeBegins::kWithTheChannel) opened(now);
  if (is_keepalive) {
    ++statistics_.keepalives;
    return action::Reply{message};
  }
  if (state_ != UploadState::kIdle && state_ != UploadState::kUploading) {
    ++statistics_.ignored;
    return action::Nothing{};
  }
  // Before what it says: this may be a piece of a message, see kMaxMessageSize.
  if (message.bytes.size() > kMaxMessageSize) {
    return reject({ErrorCode::kChunkTooLarge,
                   "the peer sends more than " + text(kMaxMessageSize) + " bytes in one message (" +
                       text(message.bytes.size()) +
                       " have arrived of it), which a data channel does not carry unless both "
                       "sides agree on a max-message-size (RFC 8841): send at most " +
                       text(kMaxMessageSize - kV1HeaderSize) + " bytes in a chunk"});
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
  if (state_ != UploadState::kIdle && chunk.total != statistics_.chunks_announced) {
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
  if (state_ == UploadState::kIdle) {
    const auto size = static_cast<std::uint32_t>(chunk.payload.size());
    return action::Authorize{{.total_chunks = chunk.total,
                              .first_chunk_size = size,
                              .estimated_size = std::uint64_t{chunk.total} * size}};
  }
  return store(chunk);
}

Action Receiver::authorized(bool allowed) {
  if (!pending_ || state_ != UploadState::kIdle) return action::Nothing{};
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
  if (!pending_ || state_ != UploadState::kUploading) return;
  const Chunk chunk = *std::exchange(pending_, std::nullopt);
  const auto size = static_cast<std::uint32_t>(chunk.payload.size());
  chunks_.insert(chunk.index, {statistics_.bytes, size});
  statistics_.bytes += size;
  ++statistics_.chunks;
  if (!statistics_.first_chunk_at) {
    statistics_.first_chunk_at = now;
    minute_begins_ = now;
  }
  largest_chunk_ = std::max(largest_chunk_, size);
  progressed_at_ = now;
  if (statistics_.chunks == statistics_.chunks_announced) {
    statistics_.completed_at = now;
    apply(UploadEvent::kLastChunk);
  }
}

Action Receiver::compared(bool equal) {
  const auto chunk = std::exchange(pending_, std::nullopt);
  if (!chunk || state_ != UploadState::kUploading) return action::Nothing{};
  if (equal) {
    ++statistics_.duplicates;
    return action::Nothing{};
  }
  return reject({ErrorCode::kConflictingChunk,
                 "chunk " + text(chunk->index) + " came again with other bytes (" +
                     text(chunk->payload.size()) + ", stored were " +
                     text(chunks_.find(chunk->index).value_or(Extent{}).length) + ")"});
}

Action Receiver::tick(TimePoint now) {
  if (state_ != UploadState::kIdle && state_ != UploadState::kUploading) return action::Nothing{};
  if (!statistics_.opened_at) return action::Nothing{};
  if (passed(expiry(*statistics_.opened_at, limits_.upload_timeout), now)) {
    return fail({ErrorCode::kUploadTimeout,
                 "not complete after " + seconds(limits_.upload_timeout) + ": " + arrived()});
  }
  if (passed(expiry(progressed_at_, limits_.idle_timeout), now)) {
    return fail({ErrorCode::kIdleTimeout,
                 "no new chunk for " + seconds(limits_.idle_timeout) + ": " + arrived()});
  }
  if (const auto due = rate_due(); passed(due, now)) {
    const std::uint64_t came = statistics_.bytes - bytes_before_;
    if (came < least_bytes()) {
      return fail({ErrorCode::kTooSlow, text(came) + " bytes came in " + seconds(kRateWindow) +
                                            ", at least " + text(limits_.min_rate) +
                                            " a second are wanted: " + arrived()});
    }
    // The next one begins when this is looked at, and not when this should have been.
    minute_begins_ = now;
    bytes_before_ = statistics_.bytes;
  }
  return action::Nothing{};
}

std::optional<TimePoint> Receiver::rate_due() const {
  if (limits_.min_rate == 0 || !statistics_.first_chunk_at) return std::nullopt;
  return expiry(minute_begins_, kRateWindow);
}

std::uint64_t Receiver::least_bytes() const {
  constexpr std::uint64_t kSeconds = kRateWindow / std::chrono::seconds(1);
  return std::min(limits_.min_rate, UINT64_MAX / kSeconds) * kSeconds;
}

std::string Receiver::arrived() const {
  const std::string announced =
      statistics_.chunks == 0 ? "" : " of " + text(statistics_.chunks_announced);
  return text(statistics_.chunks) + announced + " chunks have arrived";
}

std::optional<TimePoint> Receiver::deadline() const {
  if (state_ != UploadState::kIdle && state_ != UploadState::kUploading) return std::nullopt;
  if (!statistics_.opened_at) return std::nullopt;
  std::optional<TimePoint> first = expiry(*statistics_.opened_at, limits_.upload_timeout);
  for (const auto& next : {expiry(progressed_at_, limits_.idle_timeout), rate_due()}) {
    if (next) first = std::min(first.value_or(*next), *next);
  }
  return first;
}

Action Receiver::reject(Error error) {
  ++statistics_.rejected;
  return fail(std::move(error));
}

Action Receiver::fail(Error error) {
  if (error.code == ErrorCode::kPeerGone && complete()) return action::Nothing{};
  return end_with(std::move(error), UploadEvent::kFailure);
}

Action Receiver::refuse(Error error) { return end_with(std::move(error), UploadEvent::kRefusal); }

Action Receiver::end_with(Error error, UploadEvent event) {
  if (!transition(state_, event)) return action::Nothing{};
  apply(event);
  pending_.reset();
  error_ = error;
  return action::Fail{std::move(error)};
}

bool Receiver::begin_processing() {
  if (!transition(state_, UploadEvent::kReadingStarts)) return false;
  apply(UploadEvent::kReadingStarts);
  return true;
}

void Receiver::finish_processing() { apply(UploadEvent::kReadingEnds); }

void Receiver::apply(UploadEvent event) { state_ = transition(state_, event).value_or(state_); }

bool Receiver::complete() const {
  return state_ == UploadState::kComplete || state_ == UploadState::kProcessing ||
         state_ == UploadState::kDone;
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
