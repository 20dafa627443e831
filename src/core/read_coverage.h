// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which bytes of a file have been read. Whoever pulls does not say when it has finished; it has not
// before it has read them all.

#pragma once

#include <cstddef>
#include <cstdint>

#include "core/stored_ranges.h"

namespace webrtcupload {

class ReadCoverage {
 public:
  // Ranges that would leave more gaps than this are forgotten until they are read again, so that
  // odd readers cost no memory.
  static constexpr std::size_t kMaxRanges = 4096;

  void add(std::uint64_t offset, std::uint64_t length);

  // Whether all of the first `size` bytes have been read.
  [[nodiscard]] bool covers(std::uint64_t size) const;

 private:
  StoredRanges ranges_;
};

}  // namespace webrtcupload
