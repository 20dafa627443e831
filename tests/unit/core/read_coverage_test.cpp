// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/read_coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace webrtcupload {
namespace {

TEST(ReadCoverage, NothingReadCoversOnlyTheEmptyFile) {
  const ReadCoverage coverage;
  EXPECT_TRUE(coverage.covers(0));
  EXPECT_FALSE(coverage.covers(1));
}

TEST(ReadCoverage, RangesThatTouchJoin) {
  ReadCoverage coverage;
  coverage.add(0, 10);
  coverage.add(11, 9);
  EXPECT_TRUE(coverage.covers(10));
  EXPECT_FALSE(coverage.covers(11));
  EXPECT_FALSE(coverage.covers(20));
  coverage.add(10, 1);
  EXPECT_TRUE(coverage.covers(20));
  EXPECT_FALSE(coverage.covers(21));
}

TEST(ReadCoverage, WithoutTheFirstByteNothingIsCovered) {
  ReadCoverage coverage;
  coverage.add(1, 100);
  EXPECT_FALSE(coverage.covers(1));
  coverage.add(0, 1);
  EXPECT_TRUE(coverage.covers(101));
}

TEST(ReadCoverage, EmptyReadsCountForNothing) {
  ReadCoverage coverage;
  coverage.add(0, 0);
  EXPECT_FALSE(coverage.covers(1));
}

TEST(ReadCoverage, AgreesWithABitmapOnRandomReads) {
  constexpr std::uint64_t kSize = 200;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    ReadCoverage coverage;
    std::vector<bool> read(kSize + 50);
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t offset = random() % kSize;
      const std::uint64_t length = random() % 30;
      coverage.add(offset, length);
      std::fill_n(read.begin() + static_cast<std::ptrdiff_t>(offset), length, true);
      const auto gap = std::find(read.begin(), read.end(), false) - read.begin();
      ASSERT_TRUE(coverage.covers(static_cast<std::uint64_t>(gap))) << "seed " << seed;
      ASSERT_FALSE(coverage.covers(static_cast<std::uint64_t>(gap) + 1)) << "seed " << seed;
    }
  }
}

TEST(ReadCoverage, OddReadersCostNoMemory) {
  ReadCoverage coverage;
  for (std::uint64_t i = 0; i < 2 * ReadCoverage::kMaxRanges; ++i) coverage.add(2 * i, 1);
  EXPECT_TRUE(coverage.covers(1));
  // The even bytes beyond the limit are forgotten, so the odd ones do not make it whole.
  for (std::uint64_t i = 0; i < 2 * ReadCoverage::kMaxRanges; ++i) coverage.add(2 * i + 1, 1);
  EXPECT_FALSE(coverage.covers(4 * ReadCoverage::kMaxRanges));
  // A reader that comes back for them still ends.
  coverage.add(0, 4 * ReadCoverage::kMaxRanges);
  EXPECT_TRUE(coverage.covers(4 * ReadCoverage::kMaxRanges));
}

}  // namespace
}  // namespace webrtcupload
