// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The rules of an upload written down a second time, as plainly as possible and without a look at
// how the receiver does it: what the fuzzer compares the receiver with.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/message.h"
#include "core/upload_limits.h"
#include "core/upload_state.h"

namespace webrtcupload::fuzz {

class ReferenceUpload {
 public:
  enum class Answer { kNothing, kReply, kStored, kDuplicate, kFailed };

  explicit ReferenceUpload(const Limits& limits) : limits_(limits) {}

  Answer message(const Message& message, TimePoint now, bool allowed, bool storage_works) {
    open(now);
    const ByteView bytes = message.bytes;
    if (bytes.size() <= 1) {
      ++keepalives;
      return Answer::kReply;
    }
    if (!running()) {
      ++ignored;
      return Answer::kNothing;
    }
    if (message.kind == Message::Kind::kText || bytes.size() < 9) {
      return broken(ErrorCode::kMalformedMessage);
    }
    const std::uint32_t index = number(bytes);
    const std::uint32_t announced = number(bytes.subspan(4));
    const std::vector<std::uint8_t> payload(bytes.begin() + 8, bytes.end());

    if (announced == 0 || announced > limits_.max_chunks) return broken(ErrorCode::kTooManyChunks);
    if (total && *total != announced) return broken(ErrorCode::kTotalChanged);
    if (index >= announced) return broken(ErrorCode::kBadIndex);
    if (payload.size() > limits_.max_chunk_size) return broken(ErrorCode::kChunkTooLarge);
    if (const auto before = chunks.find(index); before != chunks.end()) {
      if (before->second != payload) return broken(ErrorCode::kConflictingChunk);
      ++duplicates;
      return Answer::kDuplicate;
    }
    if (bytes_stored() + payload.size() > limits_.max_size) return broken(ErrorCode::kTooLarge);
    if (!total) {
      if (!allowed) return fail(ErrorCode::kUnauthorized);
      total = announced;
      state = UploadState::kUploading;
    }
    if (!storage_works) return fail(ErrorCode::kStorageFailed);
    chunks.emplace(index, payload);
    progressed_at = now;
    if (!minute) minute = now;
    if (chunks.size() == *total) state = UploadState::kComplete;
    return Answer::kStored;
  }

  Answer tick(TimePoint now) {
    if (!opened_at || !running()) return Answer::kNothing;
    if (limits_.upload_timeout.count() > 0 && now - *opened_at >= limits_.upload_timeout) {
      return fail(ErrorCode::kUploadTimeout);
    }
    if (limits_.idle_timeout.count() > 0 && now - progressed_at >= limits_.idle_timeout) {
      return fail(ErrorCode::kIdleTimeout);
    }
    if (limits_.min_rate > 0 && minute && now - *minute >= kMinute) {
      if (bytes_stored() - bytes_before < 60 * limits_.min_rate) return fail(ErrorCode::kTooSlow);
      minute = now;
      bytes_before = bytes_stored();
    }
    return Answer::kNothing;
  }

  [[nodiscard]] std::optional<TimePoint> deadline() const {
    if (!opened_at || !running()) return std::nullopt;
    std::optional<TimePoint> first;
    if (limits_.upload_timeout.count() > 0) first = *opened_at + limits_.upload_timeout;
    if (limits_.idle_timeout.count() > 0) {
      const TimePoint idle = progressed_at + limits_.idle_timeout;
      first = std::min(first.value_or(idle), idle);
    }
    if (limits_.min_rate > 0 && minute) {
      first = std::min(first.value_or(*minute + kMinute), *minute + kMinute);
    }
    return first;
  }

  Answer fail(ErrorCode code) {
    if (state == UploadState::kDone || state == UploadState::kError) return Answer::kNothing;
    if (code == ErrorCode::kPeerGone && !running()) return Answer::kNothing;
    state = UploadState::kError;
    error = code;
    return Answer::kFailed;
  }

  void open(TimePoint now) {
    if (opened_at) return;
    opened_at = now;
    progressed_at = now;
  }

  bool begin_processing() {
    if (state != UploadState::kComplete) return false;
    state = UploadState::kProcessing;
    return true;
  }

  void finish_processing() {
    if (state == UploadState::kProcessing) state = UploadState::kDone;
  }

  [[nodiscard]] bool running() const {
    return state == UploadState::kIdle || state == UploadState::kUploading;
  }

  [[nodiscard]] std::uint64_t bytes_stored() const {
    std::uint64_t sum = 0;
    for (const auto& [index, payload] : chunks) sum += payload.size();
    return sum;
  }

  // What can be read from the start without a gap.
  [[nodiscard]] std::vector<std::uint8_t> file() const {
    std::vector<std::uint8_t> file;
    std::uint32_t expected = 0;
    for (const auto& [index, payload] : chunks) {
      if (index != expected++) break;
      file.insert(file.end(), payload.begin(), payload.end());
    }
    return file;
  }

  UploadState state = UploadState::kIdle;
  std::optional<ErrorCode> error;
  std::optional<std::uint32_t> total;
  std::map<std::uint32_t, std::vector<std::uint8_t>> chunks;
  std::uint64_t keepalives = 0;
  std::uint64_t ignored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;
  std::optional<TimePoint> opened_at;
  TimePoint progressed_at{};
  // The minute over which the rate is measured: from the first chunk's, each from the look on at
  // the one before.
  std::optional<TimePoint> minute;
  std::uint64_t bytes_before = 0;

 private:
  static constexpr Duration kMinute = std::chrono::seconds(60);

  static std::uint32_t number(ByteView bytes) {
    return bytes[0] + bytes[1] * 0x100U + bytes[2] * 0x10000U + bytes[3] * 0x1000000U;
  }

  Answer broken(ErrorCode code) {
    ++rejected;
    return fail(code);
  }

  const Limits limits_;
};

}  // namespace webrtcupload::fuzz
