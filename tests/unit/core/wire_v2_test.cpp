// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/wire_v2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <variant>

#include "receiver_driver.h"
#include "v2_messages.h"

namespace webrtcupload::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParsedMessage parse(const Message& message) { return V2Parser().parse(message); }

ErrorCode code_of(const Bytes& bytes) {
  const ParsedMessage parsed = parse(binary(bytes));
  const auto* error = std::get_if<Error>(&parsed);
  return error ? error->code : ErrorCode::kCancelled;
}

std::string sentence_of(const Bytes& bytes) {
  const ParsedMessage parsed = parse(binary(bytes));
  const auto* error = std::get_if<Error>(&parsed);
  return error ? error->message : "";
}

// Its checksum (of the offset and "hello") is from a program that is not ours.
TEST(WireV2, HeaderIsAsDrawn) {
  const Bytes payload = {'h', 'e', 'l', 'l', 'o'};
  std::array<std::uint8_t, kV2HeaderSize> header{};
  encode_v2_header(0x0807060504030201, payload, header);
  EXPECT_THAT(header, ElementsAre(0x01, 0x00, 0x00, 0x00, 0x63, 0x27, 0x0d, 0x4a, 0x01, 0x02, 0x03,
                                  0x04, 0x05, 0x06, 0x07, 0x08));
}

TEST(WireV2, BlockIsReadBackFieldByField) {
  const Bytes message = v2_block(0xf8f7060504030201, Bytes{'a', 'b', 'c'});
  const ParsedMessage parsed = parse(binary(message));
  ASSERT_TRUE(std::holds_alternative<Block>(parsed));
  const auto& block = std::get<Block>(parsed);
  EXPECT_EQ(block.offset, 0xf8f7060504030201U);
  EXPECT_THAT(block.payload, ElementsAre('a', 'b', 'c'));
  EXPECT_EQ(block.payload.data(), message.data() + kV2HeaderSize) << "the payload was copied";
}

TEST(WireV2, EncoderAndParserAgreeAtTheExtremes) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffffffff},
                                     std::uint64_t{1} << 32, std::uint64_t{1} << 53, UINT64_MAX}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{kMaxBlockPayload}}) {
      Bytes message(kV2HeaderSize);
      const Bytes payload = pattern(size, 3);
      encode_v2_header(offset, payload, std::span(message).first<kV2HeaderSize>());
      message.insert(message.end(), payload.begin(), payload.end());
      EXPECT_EQ(message, v2_block(offset, payload));
      const ParsedMessage parsed = parse(binary(message));
      ASSERT_TRUE(std::holds_alternative<Block>(parsed));
      EXPECT_EQ(std::get<Block>(parsed).offset, offset);
      EXPECT_EQ(std::get<Block>(parsed).payload.size(), size);
    }
  }
}

TEST(WireV2, TruncationAtEveryByte) {
  const Bytes whole = v2_block(0x0102030405060708, pattern(40));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    SCOPED_TRACE(size);
    // A copy of its own size, so that ASan sees a read behind the end.
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (size <= 1) {
      EXPECT_TRUE(std::holds_alternative<Keepalive>(parse(binary(part))));
    } else if (size <= kV2HeaderSize) {
      EXPECT_EQ(code_of(part), ErrorCode::kMalformedMessage);
    } else if (size < whole.size()) {
      EXPECT_EQ(code_of(part), ErrorCode::kCorruptChunk);
    } else {
      EXPECT_TRUE(std::holds_alternative<Block>(parse(binary(part))));
    }
  }
}

TEST(WireV2, AnyWrongBitIsFound) {
  Bytes message = v2_block(0x0102030405060708, pattern(40));
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    const auto flip = static_cast<std::uint8_t>(1U << bit % 8);
    message[bit / 8] ^= flip;
    EXPECT_EQ(code_of(message), bit < 32 ? ErrorCode::kMalformedMessage : ErrorCode::kCorruptChunk)
        << bit;
    message[bit / 8] ^= flip;
  }
}

TEST(WireV2, KeepaliveIsAtMostOneByteOfEitherKind) {
  const Bytes one = {0x01};
  for (const auto kind : {Message::Kind::kBinary, Message::Kind::kText}) {
    EXPECT_TRUE(std::holds_alternative<Keepalive>(parse({kind, {}})));
    EXPECT_TRUE(std::holds_alternative<Keepalive>(parse({kind, one})));
  }
  EXPECT_FALSE(std::holds_alternative<Keepalive>(parse(text_message(Bytes{'{', '}'}))));
}

TEST(WireV2, TextIsControlUpToItsLimit) {
  const Bytes text(kMaxControlSize, ' ');
  ParsedMessage parsed = parse(text_message(text));
  ASSERT_TRUE(std::holds_alternative<ControlText>(parsed));
  EXPECT_EQ(std::get<ControlText>(parsed).text.size(), kMaxControlSize);
  EXPECT_EQ(static_cast<const void*>(std::get<ControlText>(parsed).text.data()), text.data());

  parsed = parse(text_message(Bytes(kMaxControlSize + 1, ' ')));
  ASSERT_TRUE(std::holds_alternative<Error>(parsed));
  EXPECT_EQ(std::get<Error>(parsed).code, ErrorCode::kMalformedMessage);
  EXPECT_THAT(std::get<Error>(parsed).message, AllOf(HasSubstr("16385"), HasSubstr("16384")));
}

TEST(WireV2, TextIsNoBlockEvenIfItsBytesWouldBe) {
  EXPECT_TRUE(std::holds_alternative<ControlText>(parse(text_message(v2_block(0, pattern(5))))));
}

TEST(WireV2, ErrorsNameTheNumbers) {
  EXPECT_THAT(sentence_of(Bytes(5, 1)), AllOf(HasSubstr("5 bytes"), HasSubstr("16 bytes")));
  EXPECT_THAT(sentence_of(v2_block(77, {})), AllOf(HasSubstr("byte 77"), HasSubstr("empty")));
  Bytes message = v2_block(7, pattern(30));
  message[0] = 9;
  EXPECT_THAT(sentence_of(message), HasSubstr("type 9"));
  message[0] = 1;
  message[1] = 4;
  message[3] = 2;
  EXPECT_THAT(sentence_of(message), AllOf(HasSubstr("flags 4"), HasSubstr("512")));
  EXPECT_THAT(sentence_of(v2_block_with_crc(12345, pattern(30), 0xabcd)),
              AllOf(HasSubstr("30 bytes"), HasSubstr("byte 12345"), HasSubstr("0000abcd")));
}

}  // namespace
}  // namespace webrtcupload::testing
