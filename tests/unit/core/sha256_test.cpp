// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

Sha256 sha256() {
  auto created = Sha256::create();
  EXPECT_TRUE(created);
  return std::move(created.value());
}

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string sum_of(ByteView bytes) {
  Sha256 hash = sha256();
  hash.update(bytes);
  return to_hex(hash.sum());
}

// FIPS 180-2, B.1 to B.3, and the empty message.
TEST(Sha256, TheStandardsExamples) {
  EXPECT_EQ(sum_of({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sum_of(bytes_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sum_of(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sum_of(Bytes(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfPartsIsThatOfTheWhole) {
  const Bytes bytes = pattern(200, 1);
  const std::string whole = sum_of(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Sha256 hash = sha256();
    hash.update(ByteView(bytes).first(cut));
    hash.update(ByteView(bytes).subspan(cut));
    EXPECT_EQ(to_hex(hash.sum()), whole) << cut;
  }
}

TEST(Sha256, ASumMayBeAskedForOnTheWay) {
  Sha256 hash = sha256();
  hash.update(bytes_of("a"));
  EXPECT_EQ(to_hex(hash.sum()), sum_of(bytes_of("a")));
  hash.update(bytes_of("bc"));
  EXPECT_EQ(to_hex(hash.sum()), sum_of(bytes_of("abc")));
  EXPECT_EQ(to_hex(hash.sum()), sum_of(bytes_of("abc")));
}

TEST(Sha256, MovesWithWhatCameSoFar) {
  Sha256 first = sha256();
  first.update(bytes_of("ab"));
  Sha256 second = std::move(first);
  second.update(bytes_of("c"));
  EXPECT_EQ(to_hex(second.sum()), sum_of(bytes_of("abc")));
}

TEST(Sha256, TextOfASumIsReadBack) {
  std::string text = sum_of(bytes_of("abc"));
  const auto sum = parse_sha256(text);
  ASSERT_TRUE(sum);
  EXPECT_EQ((*sum)[0], 0xba);
  EXPECT_EQ((*sum)[31], 0xad);
  EXPECT_EQ(to_hex(*sum), text);
  for (char& c : text) {
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  EXPECT_EQ(parse_sha256(text), sum);
}

TEST(Sha256, OtherTextIsNoSum) {
  const std::string text = sum_of({});
  EXPECT_FALSE(parse_sha256(""));
  EXPECT_FALSE(parse_sha256(text.substr(1)));
  EXPECT_FALSE(parse_sha256(text + "0"));
  EXPECT_FALSE(parse_sha256("0x" + text.substr(2)));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char wrong : {'g', 'G', ' ', '/', ':', '@', '`', '\0'}) {
      std::string other = text;
      other[at] = wrong;
      EXPECT_FALSE(parse_sha256(other)) << at;
    }
  }
}

}  // namespace
}  // namespace webrtcupload::testing
