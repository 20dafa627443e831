// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The keys that clients of a server may show: what is one, and where they are read from.

#include "signalling/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-keys-XXXXXX";
    close(mkstemp(name));
    path_ = name;
  }
  void TearDown() override { fs::remove(path_); }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  std::string path_;
};

TEST(ApiKeys, AreFoundExactly) {
  ApiKeys keys;
  EXPECT_TRUE(keys.empty());
  EXPECT_FALSE(keys.contain(""));
  EXPECT_EQ(keys.add("secret"), "");
  EXPECT_EQ(keys.add("other-key_1.~+/="), "");
  EXPECT_FALSE(keys.empty());
  EXPECT_TRUE(keys.contain("secret"));
  EXPECT_TRUE(keys.contain("other-key_1.~+/="));
  for (const std::string wrong : {"", "s", "secre", "secret ", " secret", "secretx", "Secret"}) {
    EXPECT_FALSE(keys.contain(wrong)) << wrong;
  }
  EXPECT_FALSE(keys.contain(std::string_view("secret\0", 7)));
}

TEST(ApiKeys, ThatNoHeaderCanCarryAreRefused) {
  ApiKeys keys;
  for (const std::string& wrong :
       {std::string(), std::string(" "), std::string("a b"), std::string("a\n"),
        std::string("\xc3\xa4"), std::string("\x7f"), std::string(4097, 'a')}) {
    EXPECT_THAT(keys.add(wrong), HasSubstr("the key ")) << wrong;
  }
  EXPECT_TRUE(keys.empty());
  EXPECT_EQ(keys.add(std::string(4096, 'a')), "");
}

TEST(ApiKeys, AreNamedAndComparedByTheirHash) {
  // printf secret | sha256sum
  EXPECT_EQ(key_id("secret"), "2bb80d537b1da3e3");
  EXPECT_TRUE(same_hash(hash_key("a"), hash_key("a")));
  const KeyHash hash = hash_key("a");
  for (std::size_t bit = 0; bit < hash.size() * 8; ++bit) {
    KeyHash other = hash;
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_FALSE(same_hash(hash, other)) << bit;
  }
}

TEST_F(KeyFile, IsReadAndReadAgain) {
  ApiKeys keys;
  ASSERT_EQ(keys.add("given"), "");
  write("# ours\n\n  one  \r\ntwo\n\t# not this\nthree");
  ASSERT_EQ(keys.read_file(path_), "");
  for (const char* key : {"given", "one", "two", "three"}) EXPECT_TRUE(keys.contain(key)) << key;
  EXPECT_FALSE(keys.contain("# ours"));
  write("four\n");
  ASSERT_EQ(keys.read_file(path_), "");
  EXPECT_TRUE(keys.contain("given"));
  EXPECT_TRUE(keys.contain("four"));
  EXPECT_FALSE(keys.contain("one"));
}

TEST_F(KeyFile, WithAMistakeChangesNothing) {
  ApiKeys keys;
  write("one\n");
  ASSERT_EQ(keys.read_file(path_), "");
  write("two\ntwo words\n");
  EXPECT_THAT(keys.read_file(path_), HasSubstr(path_ + ", line 2: the key has characters"));
  write("# nothing\n");
  EXPECT_THAT(keys.read_file(path_), HasSubstr("holds no key"));
  fs::remove(path_);
  EXPECT_THAT(keys.read_file(path_), HasSubstr("No such file"));
  EXPECT_THAT(keys.read_file("/"), HasSubstr("/"));
  EXPECT_TRUE(keys.contain("one"));
  EXPECT_FALSE(keys.contain("two"));
}

// No key is right only where none is asked for.
TEST(ApiKeys, WithoutAnyEverybodyIsLetIn) {
  ApiKeys keys;
  for (const char* any : {"", "whatever"}) EXPECT_FALSE(keys.check(any));
  EXPECT_FALSE(keys.check(std::nullopt));
  ASSERT_EQ(keys.add("one"), "");
  EXPECT_FALSE(keys.check("one"));
  EXPECT_EQ(keys.check("two").value().status, 401u);
  EXPECT_EQ(keys.check("").value().status, 401u);
  EXPECT_EQ(keys.check(std::nullopt).value().status, 401u);
}

}  // namespace
}  // namespace webrtcupload
