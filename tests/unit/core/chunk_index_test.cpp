// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/chunk_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {
// Counts what this program allocates: how the index keeps its promise about memory cannot be seen
// otherwise.
std::size_t allocations = 0;  // NOLINT: the operators below have no other place for it.
}  // namespace

// Not inlined: GCC would see free() called on what operator new returned, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace webrtcupload {
namespace {

// Arrivals are appended to a spool of our own; the index is asked where things are, and a plain
// concatenation says where they should be.
class Model {
 public:
  explicit Model(std::vector<std::uint32_t> sizes) : sizes_(std::move(sizes)) {
    arrived_.assign(sizes_.size(), false);
    std::uint8_t next = 0;
    for (const std::uint32_t size : sizes_) {
      offsets_.push_back(file_.size());
      for (std::uint32_t i = 0; i < size; ++i) file_.push_back(next++);
    }
    // Neighbouring bytes are told apart also in files longer than 256 bytes.
    for (std::size_t i = 0; i < file_.size(); ++i) file_[i] += static_cast<std::uint8_t>(i / 251);
  }

  void arrive(std::uint32_t chunk) {
    index_.insert(chunk, {spool_.size(), sizes_[chunk]});
    const auto* first = file_.data() + offsets_[chunk];
    spool_.insert(spool_.end(), first, first + sizes_[chunk]);
    arrived_[chunk] = true;
  }

  [[nodiscard]] std::uint64_t expected_contiguous() const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < sizes_.size() && arrived_[i]; ++i) bytes += sizes_[i];
    return bytes;
  }

  // Everything that can be asked, at every chunk and `stride` bytes apart.
  void check(std::uint64_t stride = 1) const {
    ASSERT_EQ(index_.chunks(), std::count(arrived_.begin(), arrived_.end(), true));
    ASSERT_EQ(index_.contiguous_bytes(), expected_contiguous());
    for (std::uint32_t chunk = 0; chunk < sizes_.size(); ++chunk) {
      const auto extent = index_.find(chunk);
      ASSERT_EQ(extent.has_value(), arrived_[chunk]) << "chunk " << chunk;
      if (!extent) continue;
      ASSERT_EQ(extent->length, sizes_[chunk]) << "chunk " << chunk;
      ASSERT_LE(extent->position + extent->length, spool_.size());
      ASSERT_TRUE(std::equal(spool_.begin() + at(extent->position),
                             spool_.begin() + at(extent->position + extent->length),
                             file_.begin() + at(offsets_[chunk])))
          << "chunk " << chunk;
    }
    for (std::uint64_t offset = 0; offset < index_.contiguous_bytes(); offset += stride) {
      const auto extent = index_.locate(offset);
      ASSERT_TRUE(extent) << "offset " << offset;
      ASSERT_GT(extent->length, 0U) << "offset " << offset;
      ASSERT_LE(offset + extent->length, index_.contiguous_bytes()) << "offset " << offset;
      ASSERT_LE(extent->position + extent->length, spool_.size()) << "offset " << offset;
      ASSERT_TRUE(std::equal(spool_.begin() + at(extent->position),
                             spool_.begin() + at(extent->position + extent->length),
                             file_.begin() + at(offset)))
          << "offset " << offset;
    }
    ASSERT_EQ(index_.locate(index_.contiguous_bytes()), std::nullopt);
    ASSERT_EQ(index_.locate(index_.contiguous_bytes() + 1), std::nullopt);
    ASSERT_EQ(index_.locate(~std::uint64_t{0}), std::nullopt);
    ASSERT_EQ(index_.find(static_cast<std::uint32_t>(sizes_.size())), std::nullopt);
    ASSERT_EQ(index_.find(~std::uint32_t{0}), std::nullopt);
  }

  [[nodiscard]] const ChunkIndex& index() const { return index_; }
  [[nodiscard]] std::uint64_t file_size() const { return file_.size(); }

  // How many pieces a reader finds from start to end.
  [[nodiscard]] int pieces() const {
    int pieces = 0;
    std::uint64_t offset = 0;
    while (const auto extent = index_.locate(offset)) {
      offset += extent->length;
      ++pieces;
    }
    return pieces;
  }

 private:
  static std::ptrdiff_t at(std::uint64_t offset) { return static_cast<std::ptrdiff_t>(offset); }

  std::vector<std::uint32_t> sizes_;
  std::vector<std::uint64_t> offsets_;
  std::vector<std::uint8_t> file_;
  std::vector<std::uint8_t> spool_;
  std::vector<bool> arrived_;
  ChunkIndex index_;
};

void check_every_order(const std::vector<std::uint32_t>& sizes) {
  std::vector<std::uint32_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    Model model(sizes);
    std::string so_far;
    for (const std::uint32_t chunk : order) {
      model.arrive(chunk);
      so_far += " " + std::to_string(chunk);
      SCOPED_TRACE("after" + so_far);
      ASSERT_NO_FATAL_FAILURE(model.check());
    }
    ASSERT_EQ(model.index().contiguous_bytes(), model.file_size());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(ChunkIndex, EmptyHasNothing) {
  const ChunkIndex index;
  EXPECT_EQ(index.chunks(), 0U);
  EXPECT_EQ(index.contiguous_bytes(), 0U);
  EXPECT_EQ(index.find(0), std::nullopt);
  EXPECT_EQ(index.locate(0), std::nullopt);
}

TEST(ChunkIndex, EveryOrderOfEqualChunks) {
  for (std::size_t count = 1; count <= 7; ++count) {
    check_every_order(std::vector<std::uint32_t>(count, 3));
  }
}

TEST(ChunkIndex, EveryOrderOfUsualChunksWithAShorterLast) {
  check_every_order({4, 4, 4, 4, 4, 4, 1});
}

TEST(ChunkIndex, EveryOrderOfUnequalChunks) {
  check_every_order({1, 2, 3, 4, 5, 6, 7});
  check_every_order({5, 1, 4, 1, 3, 2});
}

// Equal neighbours among unequal ones: runs form, end and meet.
TEST(ChunkIndex, EveryOrderOfChunksWithEqualNeighbours) {
  check_every_order({2, 2, 5, 5, 5, 2, 2});
  check_every_order({3, 1, 1, 3, 1, 1});
}

TEST(ChunkIndex, RandomOrdersOfManyChunks) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<std::uint32_t> sizes(2000);
    for (std::uint32_t& size : sizes) size = seed % 2 == 0 ? 8 : 1 + random() % 20;
    std::vector<std::uint32_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (seed <= 2) {
      std::shuffle(order.begin(), order.end(), random);
    } else if (seed <= 4) {
      // Disorder within a window, as reordering on a network makes it.
      for (std::size_t i = 0; i + 16 <= order.size(); i += 16) {
        std::shuffle(order.begin() + static_cast<std::ptrdiff_t>(i),
                     order.begin() + static_cast<std::ptrdiff_t>(i + 16), random);
      }
    } else {
      std::reverse(order.begin(), order.end());
    }
    Model model(sizes);
    for (std::size_t i = 0; i < order.size(); ++i) {
      model.arrive(order[i]);
      if (i % 331 == 0) {
        ASSERT_NO_FATAL_FAILURE(model.check(37));
      }
    }
    ASSERT_NO_FATAL_FAILURE(model.check());
    ASSERT_EQ(model.index().contiguous_bytes(), model.file_size());
  }
}

TEST(ChunkIndex, InOrderArrivalIsOnePiece) {
  Model equal(std::vector<std::uint32_t>(500, 16));
  std::vector<std::uint32_t> mixed_sizes(500);
  for (std::uint32_t i = 0; i < 500; ++i) mixed_sizes[i] = 1 + i % 7;
  Model mixed(mixed_sizes);
  for (std::uint32_t i = 0; i < 500; ++i) {
    equal.arrive(i);
    mixed.arrive(i);
    ASSERT_EQ(equal.pieces(), 1);
    ASSERT_EQ(mixed.pieces(), 1);
  }
  EXPECT_EQ(equal.index().locate(0), (Extent{0, 500 * 16}));
  EXPECT_EQ(equal.index().locate(500 * 16 - 1), (Extent{500 * 16 - 1, 1}));
}

TEST(ChunkIndex, InOrderEqualChunksTakeConstantMemory) {
  for (const std::uint32_t size : {1U, 49'152U, 0x80000000U}) {
    ChunkIndex index;
    const std::size_t before = allocations;
    for (std::uint32_t i = 0; i < 10'000; ++i) index.insert(i, {std::uint64_t{i} * size, size});
    EXPECT_LE(allocations - before, 2U) << "one run and one piece, at chunks of " << size;
  }
}

TEST(ChunkIndex, OneLateChunkCostsNoMoreThanItsPlace) {
  ChunkIndex index;
  const std::size_t before = allocations;
  std::uint64_t position = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    if (i == 5'000) continue;
    index.insert(i, {position, 10});
    position += 10;
  }
  index.insert(5'000, {position, 10});
  EXPECT_EQ(index.contiguous_bytes(), 100'000U);
  EXPECT_LE(allocations - before, 8U);
}

TEST(ChunkIndex, ALateFirstChunkLeavesTwoPieces) {
  Model model(std::vector<std::uint32_t>(100, 8));
  for (std::uint32_t i = 1; i < 100; ++i) model.arrive(i);
  EXPECT_EQ(model.index().contiguous_bytes(), 0U);
  model.arrive(0);
  EXPECT_EQ(model.pieces(), 2);
  EXPECT_EQ(model.index().locate(0), (Extent{99 * 8, 8}));
  EXPECT_EQ(model.index().locate(8), (Extent{0, 99 * 8}));
}

// Positions and offsets beyond 32 bits, and the largest index there is.
TEST(ChunkIndex, NumbersBeyond32Bits) {
  constexpr std::uint32_t kSize = 0x80000000U;
  ChunkIndex index;
  for (std::uint64_t i = 0; i < 6; ++i) {
    index.insert(static_cast<std::uint32_t>(i), {i * kSize, kSize});
  }
  index.insert(0xfffffffeU, {6ULL * kSize, 5});
  index.insert(0xffffffffU, {6ULL * kSize + 5, 5});
  EXPECT_EQ(index.contiguous_bytes(), 6ULL * kSize);
  EXPECT_EQ(index.find(5), (Extent{5ULL * kSize, kSize}));
  EXPECT_EQ(index.locate(5ULL * kSize + 1), (Extent{5ULL * kSize + 1, kSize - 1ULL}));
  EXPECT_EQ(index.find(0xffffffffU), (Extent{6ULL * kSize + 5, 5}));
  EXPECT_EQ(index.find(0xfffffffeU), (Extent{6ULL * kSize, 5}));
  EXPECT_EQ(index.find(0xfffffffdU), std::nullopt);

  ChunkIndex late_start;
  for (std::uint64_t i = 1; i < 6; ++i) {
    late_start.insert(static_cast<std::uint32_t>(i), {(i - 1) * kSize, kSize});
  }
  late_start.insert(0, {5ULL * kSize, 3});
  EXPECT_EQ(late_start.contiguous_bytes(), 5ULL * kSize + 3);
  EXPECT_EQ(late_start.locate(4ULL * kSize + 3), (Extent{4ULL * kSize, kSize}));
}

}  // namespace
}  // namespace webrtcupload
