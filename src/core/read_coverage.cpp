// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/read_coverage.h"

#include <algorithm>
#include <iterator>

namespace webrtcupload {

void ReadCoverage::add(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  std::uint64_t begin = offset;
  std::uint64_t end = offset + length;
  // The first range that may touch the new one: the one before, if it reaches so far.
  auto range = ranges_.upper_bound(begin);
  if (range != ranges_.begin() && std::prev(range)->second >= begin) --range;
  while (range != ranges_.end() && range->first <= end) {
    begin = std::min(begin, range->first);
    end = std::max(end, range->second);
    range = ranges_.erase(range);
  }
  if (ranges_.size() < kMaxRanges) ranges_.emplace(begin, end);
}

bool ReadCoverage::covers(std::uint64_t size) const {
  if (size == 0) return true;
  const auto first = ranges_.begin();
  return first != ranges_.end() && first->first == 0 && first->second >= size;
}

}  // namespace webrtcupload
