// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/stored_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "print_range.h"

namespace webrtcupload {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kAll = 1'000'000;

TEST(StoredRanges, NothingIsStoredAtFirst) {
  const StoredRanges ranges;
  EXPECT_EQ(ranges.bytes(), 0U);
  EXPECT_EQ(ranges.contiguous_bytes(), 0U);
  EXPECT_EQ(ranges.end(), 0U);
  EXPECT_EQ(ranges.holes(), 0U);
  EXPECT_THAT(ranges.list(kAll), IsEmpty());
  EXPECT_EQ(ranges.first_stored({0, UINT64_MAX}), std::nullopt);
  EXPECT_EQ(ranges.first_missing({0, UINT64_MAX}), (Range{0, UINT64_MAX}));
  EXPECT_EQ(ranges.last_missing({0, UINT64_MAX}), (Range{0, UINT64_MAX}));
  EXPECT_TRUE(ranges.contains({5, 5}));
  EXPECT_FALSE(ranges.contains({5, 6}));
}

TEST(StoredRanges, WhatTouchesOrOverlapsIsJoined) {
  StoredRanges ranges;
  ranges.add({10, 20});
  ranges.add({20, 30});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 30}));
  ranges.add({31, 40});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 30}, Range{31, 40}));
  ranges.add({25, 31});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 40}));
  ranges.add({15, 16});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 40}));
  ranges.add({50, 51});
  ranges.add({53, 54});
  ranges.add({9, 60});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{9, 60}));
  EXPECT_EQ(ranges.bytes(), 51U);
}

TEST(StoredRanges, WhatIsTakenOutMayLeaveTwoPieces) {
  StoredRanges ranges;
  ranges.add({10, 30});
  ranges.remove({0, 10});
  ranges.remove({30, 40});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 30}));
  ranges.remove({15, 20});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 15}, Range{20, 30}));
  EXPECT_EQ(ranges.bytes(), 15U);
  ranges.remove({14, 21});
  EXPECT_THAT(ranges.list(kAll), ElementsAre(Range{10, 14}, Range{21, 30}));
  ranges.remove({0, 100});
  EXPECT_THAT(ranges.list(kAll), IsEmpty());
  EXPECT_EQ(ranges.bytes(), 0U);
}

TEST(StoredRanges, HolesAreGapsBeforeTheEnd) {
  StoredRanges ranges;
  ranges.add({10, 20});
  EXPECT_EQ(ranges.holes(), 1U);
  ranges.add({30, 40});
  EXPECT_EQ(ranges.holes(), 2U);
  ranges.add({0, 10});
  EXPECT_EQ(ranges.holes(), 1U);
  ranges.add({20, 30});
  EXPECT_EQ(ranges.holes(), 0U);
}

TEST(StoredRanges, TheLastBytesThereCanBe) {
  StoredRanges ranges;
  ranges.add({UINT64_MAX - 1, UINT64_MAX});
  EXPECT_EQ(ranges.holes_with({UINT64_MAX - 5, UINT64_MAX}), 1U);
  EXPECT_EQ(ranges.first_missing({UINT64_MAX - 3, UINT64_MAX}),
            (Range{UINT64_MAX - 3, UINT64_MAX - 1}));
  EXPECT_EQ(ranges.last_missing({UINT64_MAX - 3, UINT64_MAX}),
            (Range{UINT64_MAX - 3, UINT64_MAX - 1}));
}

TEST(StoredRanges, OfTooManyTheLongestAreListed) {
  StoredRanges ranges;
  // Of 1, 2, 3, ..., 10 bytes, the shortest first.
  for (std::uint64_t i = 1; i <= 10; ++i) ranges.add({100 * i, 101 * i});
  EXPECT_THAT(ranges.list(3), ElementsAre(Range{800, 808}, Range{900, 909}, Range{1000, 1010}));
  ranges.add({0, 50});
  EXPECT_THAT(ranges.list(2), ElementsAre(Range{0, 50}, Range{1000, 1010}));
  EXPECT_THAT(ranges.list(0), IsEmpty());
  EXPECT_EQ(ranges.list(11).size(), 11U);
}

// The same with a flag for each byte.
class Bitmap {
 public:
  explicit Bitmap(std::size_t size) : stored_(size) {}
  void set(Range range, bool stored) {
    for (std::uint64_t at = range.begin; at < range.end; ++at) stored_[at] = stored;
  }
  [[nodiscard]] std::vector<Range> runs(Range within, bool wanted) const {
    std::vector<Range> runs;
    for (std::uint64_t at = within.begin; at < within.end; ++at) {
      if (stored_[at] != wanted) continue;
      if (runs.empty() || runs.back().end != at) runs.push_back({at, at});
      ++runs.back().end;
    }
    return runs;
  }
  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(std::ranges::count(stored_, true));
  }
  [[nodiscard]] std::size_t holes() const {
    const auto gaps = runs({0, stored_.size()}, false);
    const bool open_end = !gaps.empty() && gaps.back().end == stored_.size();
    return gaps.size() - (open_end ? 1 : 0);
  }

 private:
  std::vector<bool> stored_;
};

std::optional<Range> front(const std::vector<Range>& runs) {
  return runs.empty() ? std::nullopt : std::optional(runs.front());
}

TEST(StoredRanges, AgreesWithABitmapOnRandomRanges) {
  constexpr std::uint64_t kSize = 120;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const std::uint64_t longest = 1 + random() % 20;
    StoredRanges ranges;
    Bitmap bitmap(kSize);
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t begin = random() % (kSize - longest);
      const Range added{begin, begin + 1 + random() % longest};
      const std::size_t expected_holes = ranges.holes_with(added);
      ranges.add(added);
      bitmap.set(added, true);
      ASSERT_EQ(ranges.holes(), expected_holes);
      ASSERT_EQ(ranges.holes(), bitmap.holes());
      ASSERT_EQ(ranges.bytes(), bitmap.bytes());
      if (random() % 4 == 0) {
        const std::uint64_t first = random() % (kSize - longest);
        const Range removed{first, first + 1 + random() % longest};
        ranges.remove(removed);
        bitmap.set(removed, false);
        ASSERT_EQ(ranges.holes(), bitmap.holes());
        ASSERT_EQ(ranges.bytes(), bitmap.bytes());
      }
      const auto stored = bitmap.runs({0, kSize}, true);
      if (stored.empty()) continue;
      ASSERT_EQ(ranges.list(kAll), stored);
      ASSERT_EQ(ranges.end(), stored.back().end);
      ASSERT_EQ(ranges.contiguous_bytes(), stored.front().begin == 0 ? stored.front().end : 0);
      const std::uint64_t from = random() % kSize;
      const Range within{from, from + random() % (kSize - from)};
      const auto missing = bitmap.runs(within, false);
      ASSERT_EQ(ranges.first_stored(within), front(bitmap.runs(within, true)));
      ASSERT_EQ(ranges.first_missing(within), front(missing));
      ASSERT_EQ(ranges.last_missing(within),
                missing.empty() ? std::nullopt : std::optional(missing.back()));
      ASSERT_EQ(ranges.contains(within), missing.empty());
    }
  }
}

}  // namespace
}  // namespace webrtcupload
