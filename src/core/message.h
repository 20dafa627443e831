// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a data channel delivers, and the interface behind which each version of the wire format is
// read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "core/error.h"

namespace webrtcupload {

using ByteView = std::span<const std::uint8_t>;

// One message of a data channel. `bytes` belongs to the caller.
struct Message {
  enum class Kind { kBinary, kText };

  Kind kind = Kind::kBinary;
  ByteView bytes;
};

// To be sent back unchanged; says nothing about the upload.
struct Keepalive {};

// `index` and `total` are what the peer claims; nothing is checked yet but that there is a payload.
// `payload` points into the message.
struct Chunk {
  std::uint32_t index = 0;
  std::uint32_t total = 0;
  ByteView payload;
};

using ParsedMessage = std::variant<Keepalive, Chunk, Error>;

// Reads one version of the wire format. The rules about what is read (limits, order, duplicates)
// know no version.
class MessageParser {
 public:
  virtual ~MessageParser() = default;

  // Never fails but by value; allocates nothing unless the message is malformed.
  [[nodiscard]] virtual ParsedMessage parse(const Message& message) const = 0;
};

}  // namespace webrtcupload
