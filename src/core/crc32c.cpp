// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/crc32c.h"

#include <algorithm>
#include <isa-l/crc.h>
#include <limits>

namespace webrtcupload {

std::uint32_t crc32c(ByteView bytes, std::uint32_t before) {
  // ISA-L keeps the register and leaves both inversions to its callers. It counts in `int`.
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  std::uint32_t state = ~before;
  while (!bytes.empty()) {
    const ByteView part = bytes.first(std::min(bytes.size(), kMost));
    // It only reads.
    state =
        crc32_iscsi(const_cast<unsigned char*>(part.data()), static_cast<int>(part.size()), state);
    bytes = bytes.subspan(part.size());
  }
  return ~state;
}

}  // namespace webrtcupload
