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
// Bytes of one message, header included. It is what an SCTP association takes when the SDP names no
// max-message-size (RFC 8841, section 6), as webrtcbin's does not. Some senders send more all the
// same: usrsctp then hands a message out in pieces, from 65,536 bytes on as soon as that much has
// arrived, and webrtcbin gives each piece to us as if it were a message. A first piece is longer
// than this unless the sender's packets divide 65,536, which those of no known SCTP stack do.
inline constexpr std::uint32_t kMaxMessageSize = 65536;
inline constexpr std::uint32_t kMaxChunkPayload = kMaxMessageSize - kV1HeaderSize;
// A message this short, or shorter, is a keepalive.
inline constexpr std::size_t kV1MaxKeepaliveSize = 1;

void encode_v1_header(std::uint32_t chunk_index, std::uint32_t total_chunks,
                      std::span<std::uint8_t, kV1HeaderSize> out);

class V1Parser final : public MessageParser {
 public:
  [[nodiscard]] ParsedMessage parse(const Message& message) const override;
};

}  // namespace webrtcupload
