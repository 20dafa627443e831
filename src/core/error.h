// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What can go wrong with an upload, as values.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace webrtcupload {

// One code per way an upload can fail. The text form (see to_string) is what peers, logs and
// GstMessage details carry, and is stable; docs/protocol.md describes each.
enum class ErrorCode {
  kMalformedMessage,
  kTooManyChunks,
  kTotalChanged,
  kBadIndex,
  kChunkTooLarge,
  kTooLarge,
  kConflictingChunk,
  kIdleTimeout,
  kUploadTimeout,
  kPeerGone,
  kUnauthorized,
  kQuotaExceeded,
  kStorageFailed,
  kOverloaded,
  kCancelled,
  kTooSlow,
  // The film itself, see film_limits.h.
  kTooLargePicture,
  kTooLong,
  kTooManyFrames,
  kTooManyStreams,
  kTooMuchMetadata,
  kNotAVideo,
  // The peer is not who its session description said.
  kUntrustedPeer,
  // Only wire format v2 has these.
  kCorruptChunk,
  kHashMismatch,
  kTooFragmented,
  kCreditExceeded,
  kUnknownUpload,
  kUnexpectedMessage,
  kTooManyChannels,
  // Only the sending side has these; with v2 the last one is the receiver's as well.
  kEmptyUpload,
  kUnknownSize,
  kSizeMismatch,
};

// "malformed-message", "too-many-chunks", ...
[[nodiscard]] std::string_view to_string(ErrorCode code);

// `message` is one sentence for a person, with the numbers that were wrong.
struct Error {
  ErrorCode code;
  std::string message;

  bool operator==(const Error&) const = default;
};

// A value, or the reason why there is none. (std::expected is C++23.)
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::move(value)) {}  // NOLINT: implicit, so that `return value;` reads well.
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: likewise.

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace webrtcupload
