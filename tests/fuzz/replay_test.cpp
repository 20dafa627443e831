// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fuzz targets without a fuzzer: what is committed of their inputs, changed by a plain
// generator from fixed seeds. So they are compiled and run with every compiler, and what was found
// once stays mended.

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "support/sample_offers.h"
#include "target.h"

namespace webrtcupload::fuzz {
namespace {

std::vector<std::string> inputs_of(const Target& target) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(FUZZ_CORPUS "/") + target.name)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (target.mutate) {
    for (const std::string_view offer : kEveryOffer) inputs.push_back(crlf(offer));
  }
  return inputs;
}

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::size_t below(std::size_t bound, std::mt19937& random) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

// A byte is changed, left out or put in, or the end of another input follows.
std::string mutate_bytes(std::string input, const std::vector<std::string>& others,
                         std::mt19937& random) {
  for (std::size_t changes = 1 + below(6, random); changes > 0; --changes) {
    if (input.empty()) input = " ";
    const std::size_t at = below(input.size(), random);
    const auto byte = static_cast<char>(below(256, random));
    switch (below(4, random)) {
      case 0:
        input[at] = byte;
        break;
      case 1:
        input.erase(at, 1 + below(8, random));
        break;
      case 2:
        input.insert(at, 1, byte);
        break;
      default: {
        const std::string& other = others[below(others.size(), random)];
        if (!other.empty()) input = input.substr(0, at) + other.substr(below(other.size(), random));
      }
    }
  }
  return input;
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, WhatIsCommitted) {
  const auto inputs = inputs_of(GetParam());
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) EXPECT_EQ(GetParam().check(bytes_of(input)), "") << input;
  EXPECT_EQ(GetParam().check({}), "");
}

TEST_P(Replay, WhatIsDrawn) {
  constexpr int kInputs = 3000;
  const auto inputs = inputs_of(GetParam());
  ASSERT_FALSE(inputs.empty());
  std::mt19937 random(20261129);
  for (int i = 0; i < kInputs; ++i) {
    const std::string& base = inputs[below(inputs.size(), random)];
    const bool by_lines = GetParam().mutate && i % 4 != 0;
    const std::string input =
        by_lines ? GetParam().mutate(base, random) : mutate_bytes(base, inputs, random);
    ASSERT_EQ(GetParam().check(bytes_of(input)), "") << "input " << i << ":\n" << input;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Replay, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace webrtcupload::fuzz

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
