// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parts of `webrtc-upload send` that need no connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "tool/send/progress_display.h"
#include "tool/send/server_limits.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerLimits, AreWhatTheServerSays) {
  const ServerLimits limits = parse_server_limits(
      200, R"({"max_size":1,"protocols":["v1","v2"],"max_connections":4,"resume_timeout":60})");
  EXPECT_TRUE(limits.v1);
  EXPECT_TRUE(limits.v2);
  EXPECT_EQ(limits.max_connections, 4U);
  EXPECT_FALSE(parse_server_limits(200, R"({"protocols":["v2"]})").v1);
}

TEST(ServerLimits, OfAnOlderServerAreThoseOfV1) {
  for (const auto& [status, body] : std::initializer_list<std::pair<unsigned, const char*>>{
           {404, R"({"protocols":["v2"]})"},
           {500, R"({"protocols":["v2"]})"},
           {200, ""},
           {200, "{}"},
           {200, "["},
           {200, R"(["v2"])"},
           {200, R"({"protocols":"v2"})"},
           {200, R"({"protocols":["v1"]})"},
           {200, R"({"protocols":["v2",2]})"}}) {
    const ServerLimits limits = parse_server_limits(status, body);
    EXPECT_TRUE(limits.v1) << body;
    EXPECT_FALSE(limits.v2) << body;
    EXPECT_EQ(limits.max_connections, 1U) << body;
  }
}

TEST(ServerLimits, OfConnectionsAreSensible) {
  for (const auto& [number, most] :
       std::initializer_list<std::pair<const char*, unsigned>>{{"0", 1},
                                                               {"-5", 1},
                                                               {"64", 64},
                                                               {"65", 64},
                                                               {"9223372036854775807", 64},
                                                               {"1e300", 1},
                                                               {"\"8\"", 1},
                                                               {"null", 1},
                                                               {"2.5", 1}}) {
    const std::string body =
        std::string(R"({"protocols":["v2"],"max_connections":)") + number + "}";
    EXPECT_EQ(parse_server_limits(200, body).max_connections, most) << number;
  }
}

TEST(ServerLimits, AreBesideTheEndpoint) {
  EXPECT_EQ(limits_url("http://x:1/initialise_webrtc_worker"), "http://x:1/limits");
  EXPECT_EQ(limits_url("https://x/proxy/initialise_webrtc_worker"), "https://x/proxy/limits");
  EXPECT_EQ(limits_url("https://x/proxy/?a=b"), "https://x/proxy/limits");
}

// What a display writes that is no terminal.
class PlainDisplay {
 public:
  ~PlainDisplay() { std::fclose(out_); }
  [[nodiscard]] std::FILE* out() const { return out_; }
  [[nodiscard]] std::string text() const {
    std::rewind(out_);
    std::string text(65536, 0);
    text.resize(std::fread(text.data(), 1, text.size(), out_));
    return text;
  }

 private:
  std::FILE* const out_ = std::tmpfile();
};

TEST(Progress, OfAnUnknownSizeHasNoPercent) {
  const ProgressState state{.bytes = 1000000, .elapsed = milliseconds(500)};
  EXPECT_EQ(format_bar(state, 80), "1.0 MB  2.0 MB/s");
  EXPECT_EQ(format_bar(state, 5), "1.0 ");
  EXPECT_EQ(format_line(state), "1.0 MB, 2.0 MB/s");
}

TEST(Progress, OfAnUnknownSizeIsALineNowAndThen) {
  PlainDisplay plain;
  ProgressDisplay display(plain.out());
  for (int i = 0; i < 200; ++i) {
    display.update(
        {.bytes = static_cast<std::uint64_t>(i) * 1000, .elapsed = milliseconds(100 * i)});
  }
  const std::string text = plain.text();
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
  EXPECT_THAT(text, Not(HasSubstr("%")));
}

}  // namespace
}  // namespace webrtcupload
