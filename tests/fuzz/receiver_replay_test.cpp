// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fuzz targets of the receivers without a fuzzer: the committed corpora, and inputs drawn from
// fixed seeds. So they are compiled and run with every compiler, and a find stays fixed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "receiver_input.h"
#include "v2_receiver_input.h"

namespace webrtcupload::fuzz {
namespace {

struct Replayed {
  const char* name;
  std::string (*check)(ByteView input);
  // Of an input, before its first step.
  std::size_t settings;
  // Steps that begin an upload, and those that seldom end it.
  std::vector<std::uint8_t> begin;
  std::vector<std::uint8_t> harmless;
};

// For GoogleTest's messages.
void PrintTo(const Replayed& replayed, std::ostream* out) { *out << replayed.name; }

class ReceiverReplay : public testing::TestWithParam<Replayed> {};

TEST_P(ReceiverReplay, Corpus) {
  int inputs = 0;
  const std::string corpus = std::string(FUZZ_CORPUS "/") + GetParam().name;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    SCOPED_TRACE(entry.path().filename());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> raw{std::istreambuf_iterator<char>(file), {}};
    const std::vector<std::uint8_t> bytes(raw.begin(), raw.end());
    EXPECT_FALSE(bytes.empty());
    EXPECT_EQ(GetParam().check(bytes), "");
    ++inputs;
  }
  EXPECT_GT(inputs, 0) << "no corpus in " << corpus;
}

TEST_P(ReceiverReplay, EmptyInput) { EXPECT_EQ(GetParam().check({}), ""); }

TEST_P(ReceiverReplay, DrawnInputs) {
  const auto& [name, check, settings, begin, harmless] = GetParam();
  std::mt19937 random(20240601);
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::uint8_t> bytes(40 + random() % 200);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    // Every other one begins well and keeps to what does no harm, and so lives longer.
    if (i % 2 == 0) {
      std::ranges::copy(begin, bytes.begin() + static_cast<std::ptrdiff_t>(settings));
      for (std::size_t at = settings + begin.size(); at < bytes.size() - 20;
           at += 1 + random() % 2) {
        bytes[at] = harmless[random() % harmless.size()];
      }
    }
    ASSERT_EQ(check(bytes), "") << "input " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Receivers, ReceiverReplay,
    testing::Values(
        // Chunks, keepalives, time and reading.
        Replayed{"receiver", check_receiver_input, 5, {}, {0, 1, 2, 3, 4, 4, 4, 10, 11, 14, 15}},
        // Pieces, channels that open, join and close, time and reading.
        Replayed{"v2_receiver",
                 check_v2_receiver_input,
                 5,
                 {5, 0, 6, 0, 9},
                 {0, 1, 2, 3, 3, 3, 4, 4, 4, 5, 7, 8, 8, 17, 18, 20, 23}}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace webrtcupload::fuzz
