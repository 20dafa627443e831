// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v2: the data channel's `protocol` field is "webrtcupload.v2". A binary message is a
// piece of the file:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |    type = 1   |   flags = 0   |     reserved = 0              |
//   +---------------------------------------------------------------+
//   |      CRC-32C of offset and payload (little endian)            |
//   +---------------------------------------------------------------+
//   |      offset in the file (little endian, 64 bits)              |
//   |                                                               |
//   +---------------------------------------------------------------+
//   |                    payload, at least one byte                 :
//   +---------------------------------------------------------------+
//
// A text message is a control message, see control.h. As in v1, one of at most one byte, text or
// binary, is a keepalive.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/message.h"
#include "core/wire_v1.h"

namespace webrtcupload {

inline constexpr const char* kV2Protocol = "webrtcupload.v2";
inline constexpr std::size_t kV2HeaderSize = 16;
inline constexpr std::uint8_t kV2BlockType = 1;
inline constexpr std::uint32_t kMaxBlockPayload = kMaxMessageSize - kV2HeaderSize;
// Bytes of one control message.
inline constexpr std::size_t kMaxControlSize = 16 * 1024;

void encode_v2_header(std::uint64_t offset, ByteView payload,
                      std::span<std::uint8_t, kV2HeaderSize> out);

// What a message counts against the credit of its channel while it waits: of a block its payload,
// as the credit does, and of any other message all its bytes.
[[nodiscard]] std::uint64_t counted_bytes(const Message& message);

class V2Parser final : public MessageParser {
 public:
  [[nodiscard]] ParsedMessage parse(const Message& message) const override;
};

}  // namespace webrtcupload
