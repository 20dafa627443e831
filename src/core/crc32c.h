// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The checksum of a message in wire format v2: CRC-32C (Castagnoli), as iSCSI has it (RFC 3720,
// section 12.1). ISA-L computes it, with the processor's instructions where there are any.

#pragma once

#include <cstdint>

#include "core/message.h"

namespace webrtcupload {

// Of `bytes`; or, with the checksum of what is before them, of both together.
[[nodiscard]] std::uint32_t crc32c(ByteView bytes, std::uint32_t before = 0);

}  // namespace webrtcupload
