// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/wire_v1.h"

#include <string>

#include "core/little_endian.h"

namespace webrtcupload {

void encode_v1_header(std::uint32_t chunk_index, std::uint32_t total_chunks,
                      std::span<std::uint8_t, kV1HeaderSize> out) {
  put_little_endian(chunk_index, out.data());
  put_little_endian(total_chunks, out.data() + 4);
}

ParsedMessage V1Parser::parse(const Message& message) const {
  const std::size_t size = message.bytes.size();
  if (size <= kV1MaxKeepaliveSize) return Keepalive{};
  if (message.kind == Message::Kind::kText) {
    return Error{ErrorCode::kMalformedMessage, "text message of " + std::to_string(size) +
                                                   " bytes where a binary chunk was expected"};
  }
  if (size < kV1HeaderSize) {
    return Error{ErrorCode::kMalformedMessage, "message of " + std::to_string(size) +
                                                   " bytes is shorter than the chunk header of " +
                                                   std::to_string(kV1HeaderSize) + " bytes"};
  }
  const std::uint8_t* header = message.bytes.data();
  Chunk chunk{.index = get_little_endian(header),
              .total = get_little_endian(header + 4),
              .payload = message.bytes.subspan(kV1HeaderSize)};
  if (chunk.payload.empty()) {
    return Error{ErrorCode::kMalformedMessage, "chunk " + std::to_string(chunk.index) + " of " +
                                                   std::to_string(chunk.total) +
                                                   " has an empty payload"};
  }
  return chunk;
}

}  // namespace webrtcupload
