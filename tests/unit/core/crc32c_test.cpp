// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/crc32c.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

// As the definition has it, a bit at a time.
std::uint32_t slow_crc32c(ByteView bytes) {
  std::uint32_t state = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    state ^= byte;
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0x82f63b78U : 0U);
  }
  return ~state;
}

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// RFC 3720, B.4. The RFC prints the bytes as they are sent, the least significant one first.
TEST(Crc32c, TheRfcsExamples) {
  EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62a8ab43U);
  Bytes bytes(32);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  EXPECT_EQ(crc32c(bytes), 0x46dd794eU);
  std::ranges::reverse(bytes);
  EXPECT_EQ(crc32c(bytes), 0x113fdb5cU);
  const Bytes command = {0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                         0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
                         0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
                         0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  EXPECT_EQ(crc32c(command), 0xd9963a56U);
}

TEST(Crc32c, TheUsualCheckValue) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c({}), 0U);
}

// Implementations take several bytes at once, and the rest by the byte, from any address.
TEST(Crc32c, AgreesWithTheDefinitionAtEveryLengthAndAddress) {
  const Bytes bytes = pattern(1100, 1);
  for (std::size_t begin = 0; begin < 17; ++begin) {
    for (const std::size_t length :
         {0U, 1U, 2U, 7U, 8U, 9U, 15U, 16U, 63U, 64U, 65U, 255U, 256U, 257U, 511U, 1024U, 1080U}) {
      const ByteView part = ByteView(bytes).subspan(begin, length);
      EXPECT_EQ(crc32c(part), slow_crc32c(part)) << begin << ", " << length;
    }
  }
}

TEST(Crc32c, OfPartsIsThatOfTheWhole) {
  const Bytes bytes = pattern(300, 2);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const ByteView view(bytes);
    EXPECT_EQ(crc32c(view.subspan(cut), crc32c(view.first(cut))), whole) << cut;
  }
}

TEST(Crc32c, EveryBitCounts) {
  Bytes bytes = pattern(80, 3);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto flip = static_cast<std::uint8_t>(1U << bit % 8);
    bytes[bit / 8] ^= flip;
    EXPECT_NE(crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= flip;
  }
}

}  // namespace
}  // namespace webrtcupload::testing
