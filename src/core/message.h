// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a data channel delivers, and the interface behind which each version of the wire format is
// read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
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

// Of v2: bytes of the file from `offset` on. Nothing is checked yet but that they are there, and
// their checksum. `payload` points into the message.
struct Block {
  std::uint64_t offset = 0;
  ByteView payload;
};

// Of v2: a control message, which is not read here, see control.h. `text` points into the message.
struct ControlText {
  std::string_view text;
};

using ParsedMessage = std::variant<Keepalive, Chunk, Block, ControlText, Error>;

// Reads one version of the wire format. The rules about what is read (limits, order, duplicates)
// know no version.
class MessageParser {
 public:
  virtual ~MessageParser() = default;

  // Never fails but by value; allocates nothing unless the message is malformed.
  [[nodiscard]] virtual ParsedMessage parse(const Message& message) const = 0;
};

}  // namespace webrtcupload
