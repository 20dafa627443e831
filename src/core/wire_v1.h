// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v1: the data channel's `protocol` field is empty, and each binary message is one
// chunk.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                    chunk_index (little endian)                |
//   +---------------------------------------------------------------+
//   |                    total_chunks (little endian)               |
//   +---------------------------------------------------------------+
//   |                    payload, at least one byte                 :
//   +---------------------------------------------------------------+
//
// A message of at most one byte, text or binary, is a keepalive.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/message.h"

namespace webrtcupload {

inline constexpr std::size_t kV1HeaderSize = 8;
// A message this short, or shorter, is a keepalive.
inline constexpr std::size_t kV1MaxKeepaliveSize = 1;

void encode_v1_header(std::uint32_t chunk_index, std::uint32_t total_chunks,
                      std::span<std::uint8_t, kV1HeaderSize> out);

class V1Parser final : public MessageParser {
 public:
  [[nodiscard]] ParsedMessage parse(const Message& message) const override;
};

}  // namespace webrtcupload
