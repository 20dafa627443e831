// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Control messages of wire format v2 as JSON.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/wire_v2.h"
#include "json/control_reader.h"
#include "json/control_writer.h"

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;

const std::string kSum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string kId = "00112233445566778899aabbccddeeff";

// What a text is read as; nothing when it is refused or ignored, which is a failure of the test.
std::optional<ControlMessage> read(const std::string& text) {
  const auto message = read_control(text);
  if (!message) {
    ADD_FAILURE() << message.error().message;
    return std::nullopt;
  }
  return message.value();
}

// Why a text is refused, or "" when it is not.
std::string refusal(const std::string& text) {
  const auto message = read_control(text);
  if (message) return "";
  EXPECT_EQ(message.error().code, ErrorCode::kMalformedMessage);
  return message.error().message;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

const std::string kHello =
    R"({"type":"hello","size":5000000000,"name":"film.mp4","content_type":"video/mp4","sha256":")" +
    kSum + R"(","upload":")" + kId + R"(","nonce":"ffeeddccbbaa99887766554433221100"})";
const std::string kReady = R"({"type":"ready","upload":")" + kId +
                           R"(","have":[[0,10],[20,30]],"credit":8388608,"max_payload":65520,)"
                           R"("max_size":524288000,"max_connections":8,"resume_timeout":60})";
const std::string kFailure =
    R"({"type":"error","code":"too-large","message":"why","resumable":true,"retry_after":7})";

TEST(ControlJson, EachMessageIsWrittenAsDocumentedAndReadBack) {
  const Sha256Sum sum = *parse_sha256(kSum);
  const UploadId id = *UploadId::parse(kId);
  const std::pair<ControlMessage, std::string> messages[] = {
      {control::Hello{.size = 5'000'000'000,
                      .name = "film.mp4",
                      .content_type = "video/mp4",
                      .sha256 = sum,
                      .upload = id,
                      .nonce = UploadId::parse("ffeeddccbbaa99887766554433221100")},
       kHello},
      {control::Hello{},
       R"({"type":"hello","size":null,"name":"","content_type":"","sha256":null,"upload":null,)"
       R"("nonce":null})"},
      {control::Ready{.upload = id,
                      .have = {{0, 10}, {20, 30}},
                      .credit = 8388608,
                      .max_payload = 65520,
                      .max_size = 524288000,
                      .max_connections = 8,
                      .resume_timeout = 60},
       kReady},
      {control::Ack{.stored = 1, .received = 3, .credit = 2},
       R"({"type":"ack","stored":1,"received":3,"credit":2})"},
      {control::End{.size = 3, .sha256 = sum},
       R"({"type":"end","size":3,"sha256":")" + kSum + R"("})"},
      {control::End{.size = 0}, R"({"type":"end","size":0,"sha256":null})"},
      {control::Done{.size = 4, .sha256 = sum},
       R"({"type":"done","size":4,"sha256":")" + kSum + R"("})"},
      {control::Failure{.code = "too-large", .message = "why", .resumable = true, .retry_after = 7},
       kFailure},
      {control::Failure{},
       R"({"type":"error","code":"","message":"","resumable":false,"retry_after":null})"},
      {control::Cancel{.reason = "a"}, R"({"type":"cancel","reason":"a"})"},
      {control::Cancel{}, R"({"type":"cancel","reason":null})"},
  };
  for (const auto& [message, text] : messages) {
    EXPECT_EQ(write_control(message), text);
    EXPECT_EQ(read(text), std::optional(message)) << text;
  }
}

TEST(ControlJson, WhereNullIsAllowedAFieldMayBeMissing) {
  EXPECT_EQ(read(R"({"type":"hello"})"), std::optional<ControlMessage>(control::Hello{}));
  EXPECT_EQ(read(R"({"type":"end","size":3})"),
            std::optional<ControlMessage>(control::End{.size = 3}));
  EXPECT_EQ(read(R"({"type":"cancel"})"), std::optional<ControlMessage>(control::Cancel{}));
}

TEST(ControlJson, WhatIsNotKnownIsIgnored) {
  EXPECT_EQ(read(R"({"type":"wave","size":"odd"})"), std::nullopt);
  EXPECT_EQ(read(R"({"type":""})"), std::nullopt);
  EXPECT_EQ(
      read(R"( {"later":{"a":[1,{}]},"type":"ack","stored":1,"received":3,"credit":2,"Size":-1} )"),
      std::optional<ControlMessage>(control::Ack{.stored = 1, .received = 3, .credit = 2}));
}

TEST(ControlJson, WhatIsNoObjectWithATypeIsRefused) {
  for (const char* text :
       {"", " ", "null", "[]", "5", "{}", "{", R"({"type":null})", R"({"type":5})",
        R"({"type":["hello"]})", R"({"Type":"hello"})", "{\"type\":\"hello\"}x",
        "{\"type\":\"hell\xc3\"}", R"({'type':'hello'})"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
}

TEST(ControlJson, FieldsOfTheWrongKindAreNamed) {
  for (const char* value : {"\"5\"", "-1", "5.0", "1e3", "9007199254740992", "99999999999999999999",
                            "true", "[5]", "{}"}) {
    EXPECT_THAT(refusal(replaced(kHello, "5000000000", value)), HasSubstr("\"size\"")) << value;
    EXPECT_THAT(refusal(replaced(kFailure, "7", value)), HasSubstr("\"retry_after\"")) << value;
    EXPECT_THAT(refusal(replaced(kReady, "65520", value)), HasSubstr("\"max_payload\"")) << value;
  }
  EXPECT_EQ(refusal(replaced(kHello, "5000000000", "9007199254740991")), "");
  for (const char* value : {"5", "null", "\"true\""}) {
    EXPECT_THAT(refusal(replaced(kFailure, "true", value)), HasSubstr("\"resumable\"")) << value;
  }
  EXPECT_THAT(refusal(replaced(kHello, "\"film.mp4\"", "5")), HasSubstr("\"name\""));
  EXPECT_THAT(refusal(replaced(kHello, "\"video/mp4\"", "[]")), HasSubstr("\"content_type\""));
  EXPECT_THAT(refusal(replaced(kHello, kSum, kSum + "0")), HasSubstr("\"sha256\""));
  EXPECT_THAT(refusal(replaced(kHello, kSum, kId)), HasSubstr("\"sha256\""));
  EXPECT_THAT(refusal(replaced(kHello, kId, "guessed")), HasSubstr("\"upload\""));
  EXPECT_THAT(refusal(replaced(kHello, "ffee", "ffe")), HasSubstr("\"nonce\""));
}

TEST(ControlJson, FieldsThatAreNeededAreNamedWhenTheyAreMissing) {
  for (const char* name : {"upload", "have", "credit", "max_payload", "max_size", "max_connections",
                           "resume_timeout"}) {
    EXPECT_THAT(refusal(replaced(kReady, name, "other")),
                HasSubstr("\"" + std::string(name) + "\""));
  }
  for (const char* name : {"code", "message", "resumable"}) {
    EXPECT_THAT(refusal(replaced(kFailure, "\"" + std::string(name) + "\"", "\"other\"")),
                HasSubstr("\"" + std::string(name) + "\""));
  }
  EXPECT_THAT(refusal(R"({"type":"ack","stored":1,"received":1})"), HasSubstr("\"credit\""));
  EXPECT_THAT(refusal(R"({"type":"ack","stored":null,"received":1,"credit":1})"),
              HasSubstr("\"stored\""));
  EXPECT_THAT(refusal(R"({"type":"ack","stored":1,"credit":1})"), HasSubstr("\"received\""));
  EXPECT_THAT(refusal(R"({"type":"end","size":null})"), HasSubstr("\"size\""));
  EXPECT_THAT(refusal(R"({"type":"done","size":1,"sha256":null})"), HasSubstr("\"sha256\""));
}

TEST(ControlJson, NamesAreBounded) {
  const auto hello = [](const std::string& name) {
    return R"({"type":"hello","name":")" + name + R"(","content_type":")" + name + R"("})";
  };
  EXPECT_EQ(refusal(hello(std::string(255, 'a'))), "");
  EXPECT_THAT(refusal(hello(std::string(256, 'a'))), HasSubstr("256 bytes"));
  // Bytes and not characters are counted.
  std::string umlauts;
  for (int i = 0; i < 127; ++i) umlauts += "\u00e4";
  EXPECT_EQ(refusal(hello(umlauts + "a")), "");
  EXPECT_NE(refusal(hello(umlauts + "\u00e4")), "");
}

TEST(ControlJson, NamesHaveNoControlCharacters) {
  for (const char* name : {R"(\u0000)", R"(a\u0000b)", R"(\n)", R"(\u001b[2J)", R"(\u007f)",
                           R"(\u0085)", R"(\u009b2J)", "\x7f", "\u009b"}) {
    EXPECT_NE(refusal(R"({"type":"hello","name":")" + std::string(name) + R"("})"), "") << name;
    EXPECT_NE(refusal(R"({"type":"hello","content_type":")" + std::string(name) + R"("})"), "")
        << name;
    EXPECT_NE(refusal(R"({"type":"cancel","reason":")" + std::string(name) + R"("})"), "") << name;
  }
  for (const char* name : {R"(\\u0000)", R"(\u00a0)", R"(../../a)", R"(\"\\)", "\u202e\u200d"}) {
    EXPECT_EQ(refusal(R"({"type":"hello","name":")" + std::string(name) + R"("})"), "") << name;
  }
}

TEST(ControlJson, RangesAreInOrderAndApart) {
  for (const char* have : {"[]", "[[0,1]]", "[[0,1],[2,3]]", "[[1,9007199254740991]]"}) {
    EXPECT_EQ(refusal(replaced(kReady, "[[0,10],[20,30]]", have)), "") << have;
  }
  for (const char* have : {"null", "5", "{}", "[0,1]", "[[0]]", "[[0,1,2]]", "[[1,1]]", "[[2,1]]",
                           "[[-1,1]]", "[[0,1],[1,2]]", "[[5,6],[0,1]]", "[[0,9007199254740992]]",
                           "[[0,1.5]]", "[[0,\"1\"]]", "[[0,null]]", "[null]"}) {
    EXPECT_THAT(refusal(replaced(kReady, "[[0,10],[20,30]]", have)), HasSubstr("\"have\"")) << have;
  }
  std::string many = "[";
  for (int i = 0; i <= 1024; ++i) {
    many += (i > 0 ? ",[" : "[") + std::to_string(2 * i) + "," + std::to_string(2 * i + 1) + "]";
  }
  EXPECT_THAT(refusal(replaced(kReady, "[[0,10],[20,30]]", many + "]")), HasSubstr("1024"));
}

TEST(ControlJson, MessagesAreBounded) {
  const std::string message = R"({"type":"cancel"})";
  EXPECT_EQ(refusal(message + std::string(kMaxControlSize - message.size(), ' ')), "");
  EXPECT_THAT(refusal(message + std::string(kMaxControlSize + 1 - message.size(), ' ')),
              HasSubstr("16385"));
  std::string deep = R"({"type":"cancel","later":)";
  EXPECT_EQ(refusal(deep + std::string(15, '[') + std::string(15, ']') + "}"), "");
  EXPECT_NE(refusal(deep + std::string(16, '[') + std::string(16, ']') + "}"), "");
}

TEST(ControlJson, TheLongestReadyFits) {
  for (const std::uint64_t end :
       {std::uint64_t{100'000}, std::uint64_t{524'288'000}, control::kNumberLimit - 1}) {
    control::Ready ready{.upload = *UploadId::parse(kId),
                         .credit = control::kNumberLimit - 1,
                         .max_payload = control::kNumberLimit - 1,
                         .max_size = control::kNumberLimit - 1,
                         .max_connections = control::kNumberLimit - 1,
                         .resume_timeout = control::kNumberLimit - 1};
    const std::size_t count = control::most_ranges(end);
    for (std::size_t i = count; i > 0; --i) ready.have.push_back({end - 2 * i, end - 2 * i + 1});
    const std::string text = write_control(ready);
    EXPECT_LE(text.size(), kMaxControlSize) << end;
    EXPECT_EQ(read(text), std::optional<ControlMessage>(ready)) << end;
  }
}

TEST(ControlJson, TextsAreWrittenSoThatTheyAreRead) {
  const std::string odd = "a\x01\xff\n" + std::string(2000, 'x');
  const auto failure = read(write_control(control::Failure{.code = odd, .message = odd}));
  ASSERT_TRUE(failure);
  EXPECT_EQ(std::get<control::Failure>(*failure).message.size(), control::kMaxSentence);
  EXPECT_THAT(std::get<control::Failure>(*failure).message, HasSubstr("a?\ufffd?x"));
  std::string umlauts = "a";
  for (int i = 0; i < 200; ++i) umlauts += "\u00e4";
  const auto hello = read(write_control(control::Hello{.name = umlauts}));
  ASSERT_TRUE(hello);
  EXPECT_EQ(std::get<control::Hello>(*hello).name, umlauts.substr(0, 255));
}

}  // namespace
}  // namespace webrtcupload
