// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/read_coverage.h"

namespace webrtcupload {

void ReadCoverage::add(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  const Range range{offset, offset + length};
  if (ranges_.holes_with(range) <= kMaxRanges) ranges_.add(range);
}

bool ReadCoverage::covers(std::uint64_t size) const { return ranges_.contiguous_bytes() >= size; }

}  // namespace webrtcupload
