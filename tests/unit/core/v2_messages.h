// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages of wire format v2 for tests, spelled out here rather than taken from the encoder, so
// that a mistake there cannot cancel out with one in the parser.

#pragma once

#include <cstdint>

#include "core/crc32c.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {

inline void append_little_endian(Bytes& bytes, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

inline Bytes v2_block_with_crc(std::uint64_t offset, ByteView payload, std::uint32_t crc) {
  Bytes message = {1, 0, 0, 0};
  append_little_endian(message, crc, 4);
  append_little_endian(message, offset, 8);
  message.insert(message.end(), payload.begin(), payload.end());
  return message;
}

inline Bytes v2_block(std::uint64_t offset, ByteView payload) {
  Bytes covered;
  append_little_endian(covered, offset, 8);
  covered.insert(covered.end(), payload.begin(), payload.end());
  return v2_block_with_crc(offset, payload, crc32c(covered));
}

}  // namespace webrtcupload::testing
