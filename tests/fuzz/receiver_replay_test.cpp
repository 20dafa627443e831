// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fuzz target without a fuzzer: the committed corpus, and inputs drawn from fixed seeds. So it
// is compiled and run with every compiler, and a find stays fixed.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "receiver_input.h"

namespace webrtcupload::fuzz {
namespace {

TEST(ReceiverReplay, Corpus) {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS "/receiver")) {
    SCOPED_TRACE(entry.path().filename());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> raw{std::istreambuf_iterator<char>(file), {}};
    const std::vector<std::uint8_t> bytes(raw.begin(), raw.end());
    EXPECT_FALSE(bytes.empty());
    EXPECT_EQ(check_receiver_input(bytes), "");
    ++inputs;
  }
  EXPECT_GT(inputs, 0) << "no corpus in " FUZZ_CORPUS;
}

TEST(ReceiverReplay, EmptyInput) { EXPECT_EQ(check_receiver_input({}), ""); }

TEST(ReceiverReplay, DrawnInputs) {
  std::mt19937 random(20240601);
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::uint8_t> bytes(40 + random() % 200);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    // Every other one keeps to chunks, keepalives, time and reading, and so lives longer.
    if (i % 2 == 0) {
      constexpr std::uint8_t kHarmless[] = {0, 1, 2, 3, 4, 4, 4, 10, 11, 14, 15};
      for (std::size_t at = 5; at < bytes.size() - 20; at += 1 + random() % 2) {
        bytes[at] = kHarmless[random() % std::size(kHarmless)];
      }
    }
    ASSERT_EQ(check_receiver_input(bytes), "") << "input " << i;
  }
}

}  // namespace
}  // namespace webrtcupload::fuzz
