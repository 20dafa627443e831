// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The control messages of wire format v2, as values. On the wire each is a JSON object in a text
// message, which src/json reads and writes.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/sha256.h"
#include "core/stored_ranges.h"

namespace webrtcupload {

// Whoever knows it may join the upload: 128 random bits.
class UploadId {
 public:
  using Bytes = std::array<std::uint8_t, 16>;

  explicit UploadId(const Bytes& bytes) : bytes_(bytes) {}
  // 32 hexadecimal digits of either case, or nothing.
  [[nodiscard]] static std::optional<UploadId> parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  // Takes the same time wherever they differ, so that nobody finds one out piece by piece.
  bool operator==(const UploadId& other) const;

 private:
  Bytes bytes_;
};

namespace control {

// Offsets and sizes on the wire are below this, so that JavaScript's numbers hold them exactly.
inline constexpr std::uint64_t kNumberLimit = std::uint64_t{1} << 53;
// Bytes of what a client calls a file, or its type.
inline constexpr std::size_t kMaxName = 255;
// Bytes of a sentence.
inline constexpr std::size_t kMaxSentence = 1024;
// Ranges in a Ready.
inline constexpr std::size_t kMaxHave = 1024;

// How many ranges below `end` a Ready may have, so that it is no longer than a control message.
[[nodiscard]] std::size_t most_ranges(std::uint64_t end);

// Client to server, first on each channel: begins an upload, or joins the one that `upload` names.
struct Hello {
  // Nothing: not known yet.
  std::optional<std::uint64_t> size;
  std::string name;
  std::string content_type;
  // Nothing: not known yet, or never.
  std::optional<Sha256Sum> sha256;
  std::optional<UploadId> upload;
  // Drawn by the client, 128 random bits. A client that has lost the connection before it was told
  // the id says the same hello again: the nonce is what nobody else knows.
  std::optional<UploadId> nonce;

  bool operator==(const Hello&) const = default;
};

// Server to client: the channel may send blocks.
struct Ready {
  UploadId upload;
  std::vector<Range> have;
  // Payload bytes that may be sent on this channel, counted from its Hello.
  std::uint64_t credit = 0;
  // Bytes of one block's payload, and of the file.
  std::uint64_t max_payload = 0;
  std::uint64_t max_size = 0;
  // Channels at the same time.
  std::uint64_t max_connections = 0;
  // Seconds for which an upload without a channel waits for one.
  std::uint64_t resume_timeout = 0;

  bool operator==(const Ready&) const = default;
};

// Server to client: how far the upload is, and this channel.
struct Ack {
  // Bytes of the file, over all channels.
  std::uint64_t stored = 0;
  // Payload bytes of the blocks of this channel that have been handled, counted as the credit is:
  // what was sent after them has to be sent again when the channel is lost.
  std::uint64_t received = 0;
  std::uint64_t credit = 0;

  bool operator==(const Ack&) const = default;
};

// Client to server: what the Hello could not say.
struct End {
  std::uint64_t size = 0;
  std::optional<Sha256Sum> sha256;

  bool operator==(const End&) const = default;
};

// Server to client: everything is stored, and is what the client said it is.
struct Done {
  std::uint64_t size = 0;
  Sha256Sum sha256{};

  bool operator==(const Done&) const = default;
};

// Server to client, before it closes the channel. On the wire its type is "error".
struct Failure {
  // As to_string(ErrorCode) has it, or one that only another version of the server knows.
  std::string code;
  std::string message;
  // Whether the upload goes on, so that a new channel may join it.
  bool resumable = false;
  // Seconds after which it is worth trying again.
  std::optional<std::uint64_t> retry_after;

  bool operator==(const Failure&) const = default;
};

// Client to server: ends the upload on all its channels.
struct Cancel {
  std::optional<std::string> reason;

  bool operator==(const Cancel&) const = default;
};

}  // namespace control

using ControlMessage = std::variant<control::Hello, control::Ready, control::Ack, control::End,
                                    control::Done, control::Failure, control::Cancel>;

}  // namespace webrtcupload
