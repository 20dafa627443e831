// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many chunks follow from the largest size, and what size gets in.

#include "core/upload_limits.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "core/wire_v1.h"

namespace webrtcupload::testing {
namespace {

constexpr std::uint64_t kGB = 1'000'000'000;

TEST(UploadLimits, ChunksFollowFromTheSize) {
  struct Case {
    std::uint64_t max_size;
    std::uint32_t chunks;
  };
  for (const auto& [max_size, chunks] : {
           Case{1, 16384},
           // Up to here chunks of 16 KiB are the reason for nothing.
           Case{16384ULL * 16384, 16384},
           Case{16384ULL * 16384 + 1, 16385},
           Case{16385ULL * 16384, 16385},
           Case{524'288'000, 32000},
           Case{4 * kGB, 244141},
           Case{4194304ULL * 16384 - 16384, 4194303},
           Case{4194304ULL * 16384 - 16383, 4194304},
           // The index stays bounded whatever the size.
           Case{4194304ULL * 16384 + 1, 4194304},
           Case{UINT64_MAX, 4194304},
       }) {
    EXPECT_EQ(chunk_limit({.max_size = max_size}), chunks) << max_size;
  }
}

TEST(UploadLimits, ChunksThatAreSetStay) {
  for (const std::uint32_t chunks : {1U, 16384U, UINT32_MAX}) {
    EXPECT_EQ(chunk_limit({.max_size = 4 * kGB, .max_chunks = chunks}), chunks);
  }
}

// With the chunks of the usual clients, and with smaller ones down to 16 KiB.
TEST(UploadLimits, AFileOfTheLargestSizeGetsIn) {
  for (const std::uint64_t size : {524'288'000UL, 805 * kGB / 1000, 4 * kGB, 60 * kGB}) {
    for (const std::uint64_t chunk : {16384U, 49152U, 65528U}) {
      EXPECT_LE((size + chunk - 1) / chunk, chunk_limit({.max_size = size}))
          << size << " " << chunk;
    }
    EXPECT_EQ(reachable_size({.max_size = size}), size);
  }
}

TEST(UploadLimits, AChunkThatIsAllowedFitsIntoAMessage) {
  EXPECT_EQ(Limits{}.max_chunk_size, 65528U);
  EXPECT_EQ(Limits{}.max_chunk_size + kV1HeaderSize, kMaxMessageSize);
}

TEST(UploadLimits, OtherLimitsCanKeepTheLargestSizeOut) {
  EXPECT_EQ(reachable_size({.max_size = 4 * kGB, .max_chunks = 16384}), 16384ULL * 49152);
  EXPECT_EQ(reachable_size({.max_size = 4 * kGB, .max_chunks = 10, .max_chunk_size = 1000}),
            10000U);
  EXPECT_EQ(reachable_size({.max_size = 1000, .max_chunks = 10}), 1000U);
  EXPECT_EQ(reachable_size({.max_size = UINT64_MAX}), 4194304ULL * 49152);
}

}  // namespace
}  // namespace webrtcupload::testing
