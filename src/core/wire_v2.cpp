// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/wire_v2.h"

#include <cstdio>
#include <string>

#include "core/crc32c.h"
#include "core/little_endian.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kOffsetAt = 8;

std::string hex(std::uint32_t value) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%08x", value);
  return buffer;
}

Error malformed(std::string message) { return {ErrorCode::kMalformedMessage, std::move(message)}; }

ParsedMessage parse_control(ByteView bytes) {
  if (bytes.size() > kMaxControlSize) {
    return malformed("control message of " + std::to_string(bytes.size()) + " bytes, at most " +
                     std::to_string(kMaxControlSize) + " are accepted");
  }
  return ControlText{{reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
}

}  // namespace

void encode_v2_header(std::uint64_t offset, ByteView payload,
                      std::span<std::uint8_t, kV2HeaderSize> out) {
  out[0] = kV2BlockType;
  out[1] = 0;
  put_little_endian<2>(0, out.data() + 2);
  put_little_endian<8>(offset, out.data() + kOffsetAt);
  put_little_endian(crc32c(payload, crc32c(out.subspan<kOffsetAt>())), out.data() + kCrcAt);
}

std::uint64_t counted_bytes(const Message& message) {
  const std::size_t size = message.bytes.size();
  const bool is_block = message.kind == Message::Kind::kBinary && size > kV2HeaderSize;
  return is_block ? size - kV2HeaderSize : size;
}

ParsedMessage V2Parser::parse(const Message& message) const {
  const std::size_t size = message.bytes.size();
  if (size <= kV1MaxKeepaliveSize) return Keepalive{};
  if (message.kind == Message::Kind::kText) return parse_control(message.bytes);
  if (size < kV2HeaderSize) {
    return malformed("message of " + std::to_string(size) +
                     " bytes is shorter than the header of " + std::to_string(kV2HeaderSize) +
                     " bytes");
  }
  const std::uint8_t* header = message.bytes.data();
  if (header[0] != kV2BlockType) {
    return malformed("binary message of type " + std::to_string(header[0]) + ", only " +
                     std::to_string(kV2BlockType) + " is known");
  }
  const std::uint32_t reserved = get_little_endian<2>(header + 2);
  if (header[1] != 0 || reserved != 0) {
    return malformed("message with flags " + std::to_string(header[1]) + " and " +
                     std::to_string(reserved) + " in the reserved field, both have to be 0");
  }
  const Block block{.offset = get_little_endian<8>(header + kOffsetAt),
                    .payload = message.bytes.subspan(kV2HeaderSize)};
  if (block.payload.empty()) {
    return malformed("message for byte " + std::to_string(block.offset) + " has an empty payload");
  }
  const std::uint32_t announced = get_little_endian(header + kCrcAt);
  // Both lie together in the message.
  const std::uint32_t computed = crc32c(message.bytes.subspan(kOffsetAt));
  if (announced != computed) {
    return Error{ErrorCode::kCorruptChunk, "the " + std::to_string(block.payload.size()) +
                                               " bytes from byte " + std::to_string(block.offset) +
                                               " on have the checksum " + hex(computed) +
                                               ", their message says " + hex(announced)};
  }
  return block;
}

}  // namespace webrtcupload
