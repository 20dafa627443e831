// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/wire_v1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

ParsedMessage parse(const Message& message) { return V1Parser().parse(message); }

TEST(WireV1, HeaderIsLittleEndian) {
  std::array<std::uint8_t, kV1HeaderSize> header{};
  encode_v1_header(0x04030201, 0x080706f5, header);
  EXPECT_THAT(header, ElementsAre(0x01, 0x02, 0x03, 0x04, 0xf5, 0x06, 0x07, 0x08));
}

TEST(WireV1, ChunkIsReadBackFieldByField) {
  const Bytes message = {0x01, 0x02, 0x03, 0xf4, 0xf5, 0x06, 0x07, 0x08, 'a', 'b', 'c'};
  const ParsedMessage parsed = parse(binary(message));
  ASSERT_TRUE(std::holds_alternative<Chunk>(parsed));
  const auto& chunk = std::get<Chunk>(parsed);
  EXPECT_EQ(chunk.index, 0xf4030201U);
  EXPECT_EQ(chunk.total, 0x080706f5U);
  EXPECT_THAT(chunk.payload, ElementsAre('a', 'b', 'c'));
  EXPECT_EQ(chunk.payload.data(), message.data() + kV1HeaderSize) << "the payload was copied";
}

TEST(WireV1, EncoderAndParserAgreeAtTheExtremes) {
  for (const std::uint32_t index : {0U, 1U, 0xffU, 0x100U, 0x12345678U, 0x7fffffffU, 0xffffffffU}) {
    for (const std::uint32_t total : {0U, 1U, 0x8000U, 0x80000000U, 0xffffffffU}) {
      std::array<std::uint8_t, kV1HeaderSize + 1> message{};
      encode_v1_header(index, total, std::span(message).first<kV1HeaderSize>());
      EXPECT_THAT(Bytes(message.begin(), message.end()),
                  ElementsAreArray(v1_chunk(index, total, Bytes{0})));
      const ParsedMessage parsed = parse(binary(message));
      ASSERT_TRUE(std::holds_alternative<Chunk>(parsed));
      EXPECT_EQ(std::get<Chunk>(parsed).index, index);
      EXPECT_EQ(std::get<Chunk>(parsed).total, total);
    }
  }
}

TEST(WireV1, TruncationAtEveryByte) {
  const Bytes whole = v1_chunk(0x01020304, 0x05060708, pattern(40));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    SCOPED_TRACE(size);
    // A copy of its own size, so that ASan sees a read behind the end.
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const ParsedMessage parsed = parse(binary(part));
    if (size <= 1) {
      EXPECT_TRUE(std::holds_alternative<Keepalive>(parsed));
    } else if (size <= kV1HeaderSize) {
      ASSERT_TRUE(std::holds_alternative<Error>(parsed));
      EXPECT_EQ(std::get<Error>(parsed).code, ErrorCode::kMalformedMessage);
    } else {
      ASSERT_TRUE(std::holds_alternative<Chunk>(parsed));
      EXPECT_EQ(std::get<Chunk>(parsed).payload.size(), size - kV1HeaderSize);
    }
  }
}

TEST(WireV1, KeepaliveIsAtMostOneByteOfEitherKind) {
  const Bytes one = {0x2a};
  for (const auto kind : {Message::Kind::kBinary, Message::Kind::kText}) {
    EXPECT_TRUE(std::holds_alternative<Keepalive>(parse({kind, {}})));
    // webrtcbin hands out a null pointer for an empty message.
    EXPECT_TRUE(std::holds_alternative<Keepalive>(parse({kind, ByteView(one.data(), 0UL)})));
    EXPECT_TRUE(std::holds_alternative<Keepalive>(parse({kind, one})));
    EXPECT_TRUE(std::holds_alternative<Error>(parse({kind, Bytes{1, 2}})));
  }
}

TEST(WireV1, TextIsNoChunkEvenIfItsBytesWouldBe) {
  const Bytes message = v1_chunk(0, 1, pattern(5));
  const ParsedMessage parsed = parse(text_message(message));
  ASSERT_TRUE(std::holds_alternative<Error>(parsed));
  EXPECT_EQ(std::get<Error>(parsed).code, ErrorCode::kMalformedMessage);
  EXPECT_THAT(std::get<Error>(parsed).message, AllOf(HasSubstr("text"), HasSubstr("13 bytes")));
}

TEST(WireV1, ErrorsNameTheNumbers) {
  const auto message_of = [](const Bytes& bytes) {
    return std::get<Error>(parse(binary(bytes))).message;
  };
  EXPECT_THAT(message_of(Bytes(5)), AllOf(HasSubstr("5 bytes"), HasSubstr("8 bytes")));
  EXPECT_THAT(message_of(v1_chunk(3, 77, {})),
              AllOf(HasSubstr("chunk 3 of 77"), HasSubstr("empty payload")));
}

}  // namespace
}  // namespace webrtcupload::testing
