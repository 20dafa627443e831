// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Integers whose least significant byte comes first, as the wire formats and some films have them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace webrtcupload {

// The smallest of the two that has room for `Bytes` bytes.
template <std::size_t Bytes>
using LittleEndian = std::conditional_t<Bytes <= 4, std::uint32_t, std::uint64_t>;

// Of `Bytes` bytes at `in`.
template <std::size_t Bytes = 4>
LittleEndian<Bytes> get_little_endian(const std::uint8_t* in) {
  static_assert(Bytes >= 1 && Bytes <= 8);
  LittleEndian<Bytes> value = 0;
  for (std::size_t i = 0; i < Bytes; ++i) {
    value |= static_cast<LittleEndian<Bytes>>(in[i]) << (8 * i);
  }
  return value;
}

// In `Bytes` bytes at `out`.
template <std::size_t Bytes = 4>
void put_little_endian(LittleEndian<Bytes> value, std::uint8_t* out) {
  static_assert(Bytes >= 1 && Bytes <= 8);
  for (std::size_t i = 0; i < Bytes; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace webrtcupload
