// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_window.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace webrtcupload {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// Sends what may be sent, up to `limit`; the id of the last one.
std::uint32_t send_all(ResultWindow& window, std::uint32_t next, std::uint32_t limit = 1000) {
  for (; next <= limit && window.may_send(); ++next) window.sent(next);
  return next - 1;
}

TEST(ResultWindow, NothingWaitsForAFirstAcknowledgement) {
  ResultWindow window(2);
  EXPECT_EQ(send_all(window, 1), 1000U);
  EXPECT_EQ(window.acked(), std::nullopt);
}

TEST(ResultWindow, StaysThatFarAhead) {
  for (const std::uint32_t size : {1U, 2U, 31U, 32U, 33U}) {
    SCOPED_TRACE(size);
    ResultWindow window(size);
    window.sent(1);
    EXPECT_TRUE(window.ack(1));
    EXPECT_EQ(send_all(window, 2), 1 + size);
    EXPECT_FALSE(window.may_send());
    EXPECT_TRUE(window.ack(2));
    EXPECT_EQ(send_all(window, 2 + size), 2 + size);
    EXPECT_TRUE(window.ack(2 + size));
    EXPECT_EQ(send_all(window, 3 + size), 2 + 2 * size);
  }
}

TEST(ResultWindow, AFirstAcknowledgementOfLessThanIsUnderWayHoldsBackAtOnce) {
  ResultWindow window(32);
  EXPECT_EQ(send_all(window, 1, 100), 100U);
  EXPECT_TRUE(window.ack(67));
  EXPECT_FALSE(window.may_send());
  EXPECT_TRUE(window.ack(68));
  EXPECT_FALSE(window.may_send());
  EXPECT_TRUE(window.ack(69));
  EXPECT_TRUE(window.may_send());
}

TEST(ResultWindow, ZeroMeansNothingHandledYet) {
  ResultWindow window(2);
  EXPECT_TRUE(window.ack(0));
  EXPECT_EQ(window.acked(), 0U);
  EXPECT_EQ(send_all(window, 1), 2U);
}

TEST(ResultWindow, WhatCannotBeIsIgnored) {
  ResultWindow window(2);
  EXPECT_FALSE(window.ack(1)) << "nothing has been sent";
  EXPECT_EQ(send_all(window, 1, 10), 10U);
  EXPECT_FALSE(window.ack(-1));
  EXPECT_FALSE(window.ack(std::numeric_limits<std::int64_t>::min()));
  EXPECT_FALSE(window.ack(11)) << "one more than was sent";
  EXPECT_FALSE(window.ack(kHuge));
  EXPECT_FALSE(window.ack((std::int64_t{1} << 32) + 1)) << "1, if it were cut to 32 bits";
  EXPECT_EQ(window.acked(), std::nullopt);
  EXPECT_TRUE(window.may_send());

  EXPECT_TRUE(window.ack(10));
  EXPECT_FALSE(window.ack(10)) << "again";
  EXPECT_FALSE(window.ack(9)) << "backwards";
  EXPECT_FALSE(window.ack(0));
  EXPECT_EQ(window.acked(), 10U);
  EXPECT_EQ(send_all(window, 11), 12U);
}

TEST(ResultWindow, IdsThatWereDroppedDoNotUseItUp) {
  ResultWindow window(2);
  window.sent(1);
  EXPECT_TRUE(window.ack(1));
  // 2 to 999 were dropped.
  EXPECT_TRUE(window.may_send());
  window.sent(1000);
  EXPECT_TRUE(window.may_send());
  window.sent(2000);
  EXPECT_FALSE(window.may_send());
  EXPECT_TRUE(window.ack(1500));
  EXPECT_TRUE(window.may_send());
}

TEST(ResultWindow, SizeZeroNeverHoldsBack) {
  ResultWindow window(0);
  window.sent(1);
  EXPECT_TRUE(window.ack(1));
  EXPECT_EQ(send_all(window, 2), 1000U);
  EXPECT_EQ(window.acked(), 1U);
}

TEST(ResultWindow, TheLastIds) {
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
  ResultWindow window(1);
  window.sent(kLast);
  EXPECT_FALSE(window.ack(std::int64_t{kLast} + 1));
  EXPECT_TRUE(window.ack(kLast));
  EXPECT_TRUE(window.may_send());
}

TEST(ParseAck, WhatClientsSay) {
  EXPECT_EQ(parse_ack(R"({"ack": 1})"), 1);
  EXPECT_EQ(parse_ack(R"({"ack":12})"), 12);
  EXPECT_EQ(parse_ack(" {\n\t\"ack\" :\r 4294967295 } "), 4294967295);
  EXPECT_EQ(parse_ack(R"({"ack":0})"), 0);
  EXPECT_EQ(parse_ack(R"({"ack":-5})"), -5);
  EXPECT_EQ(parse_ack(R"({"ack":9223372036854775807})"), kHuge);
}

TEST(ParseAck, WhatIsNone) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "{}",
                           "1",
                           "ack",
                           R"({"ack"})",
                           R"({"ack":})",
                           R"({"ack":"1"})",
                           R"({"ack":null})",
                           R"({"ack":true})",
                           R"({"ack":1.0})",
                           R"({"ack":1e3})",
                           R"({"ack":+1})",
                           R"({"ack":- 1})",
                           R"({"ack":[1]})",
                           R"({"ack":9223372036854775808})",
                           R"({"ack":99999999999999999999999999})",
                           R"({"ack":1}x)",
                           R"({"ack":1}{})",
                           R"({"ack":1,"data_output":[]})",
                           R"({"Ack":1})",
                           R"([{"ack":1}])",
                           R"({"ack":1)",
                           R"({"ack":0x10})"}) {
    EXPECT_EQ(parse_ack(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_ack(std::string_view("{\"ack\":1}\0", 10)), std::nullopt);
}

TEST(ParseAck, AcceptsNothingThatIsCutShort) {
  const std::string whole = R"({"ack": 12})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_ack(whole.substr(0, size)), std::nullopt) << size;
  }
}

}  // namespace
}  // namespace webrtcupload
