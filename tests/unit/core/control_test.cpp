// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/control.h"

#include <gtest/gtest.h>

#include <string>

namespace webrtcupload {
namespace {

TEST(UploadId, IsReadFromAndWrittenToText) {
  const std::string text = "00112233445566778899aabbccddeeff";
  const auto id = UploadId::parse(text);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->text(), text);
  EXPECT_EQ(UploadId::parse("00112233445566778899AABBCCDDEEFF"), id);
  for (const char* wrong :
       {"", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeef00",
        "00112233445566778899aabbccddeefg", "0x112233445566778899aabbccddeeff",
        "+0112233445566778899aabbccddeeff", "-1112233445566778899aabbccddeeff",
        " 0112233445566778899aabbccddeeff"}) {
    EXPECT_FALSE(UploadId::parse(wrong)) << wrong;
  }
}

TEST(UploadId, AnyDigitTellsTwoApart) {
  const std::string text(32, '0');
  const auto id = UploadId::parse(text);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = '1';
    EXPECT_FALSE(UploadId::parse(other) == id) << at;
  }
}

// A list that long is written by the test of src/json.
TEST(Control, FewerRangesFitTheLargerTheFile) {
  EXPECT_EQ(control::most_ranges(0), control::kMaxHave);
  EXPECT_EQ(control::most_ranges(99'999), control::kMaxHave);
  EXPECT_EQ(control::most_ranges(524'288'000), 721U);
  EXPECT_EQ(control::most_ranges(control::kNumberLimit - 1), 440U);
}

}  // namespace
}  // namespace webrtcupload
