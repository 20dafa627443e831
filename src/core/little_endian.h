// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Integers whose least significant byte comes first, as the wire formats and some films have them.

#pragma once

#include <cstddef>
#include <cstdint>

namespace webrtcupload {

// Of `Bytes` bytes at `in`.
template <std::size_t Bytes = 4>
std::uint32_t get_little_endian(const std::uint8_t* in) {
  static_assert(Bytes >= 1 && Bytes <= 4);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < Bytes; ++i) value |= static_cast<std::uint32_t>(in[i]) << (8 * i);
  return value;
}

// In 4 bytes at `out`.
inline void put_little_endian(std::uint32_t value, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace webrtcupload
