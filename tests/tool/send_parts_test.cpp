// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parts of `webrtc-upload send` that need no connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tool/send/back_off.h"
#include "tool/send/connection_rule.h"
#include "tool/send/progress_display.h"
#include "tool/send/server_limits.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
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

TEST(Progress, ALossIsALineNowAndThen) {
  EXPECT_EQ(format_loss({.attempt = 2, .left = seconds(45)}),
            "Connection lost, trying again (attempt 2, 45 s left)");
  PlainDisplay plain;
  ProgressDisplay display(plain.out());
  for (int left = 12; left >= 0; --left) {
    display.update(LossState{.attempt = 13 - left, .left = seconds(left)});
    display.update(LossState{.attempt = 13 - left, .left = seconds(left)});
  }
  // The next one is told of at once.
  display.update(ProgressState{.bytes = 500, .total = 1000});
  display.update(LossState{.attempt = 1, .left = seconds(12)});
  EXPECT_EQ(plain.text(),
            "Connection lost, trying again (attempt 1, 12 s left)\n"
            "Connection lost, trying again (attempt 6, 7 s left)\n"
            "Connection lost, trying again (attempt 11, 2 s left)\n"
            "50 %, 500 bytes of 1.0 kB, 0 bytes/s\n"
            "Connection lost, trying again (attempt 1, 12 s left)\n");
}

TEST(Progress, OfAnotherUploadBeginsAnew) {
  PlainDisplay plain;
  ProgressDisplay display(plain.out());
  display.update(ProgressState{.bytes = 500, .total = 1000});
  display.begin_anew();
  display.update(ProgressState{.bytes = 0, .total = 1000});
  EXPECT_THAT(plain.text(), ::testing::EndsWith("0 %, 0 bytes of 1.0 kB, 0 bytes/s\n"));
}

TEST(BackOff, IsLongerEachTimeUpToSomeSeconds) {
  BackOff back_off;
  for (const int longest : {500, 1000, 2000, 4000, 8000, 8000, 8000}) {
    EXPECT_EQ(back_off.next(1), milliseconds(longest));
  }
  back_off.reset();
  EXPECT_EQ(back_off.next(1), milliseconds(500));
}

TEST(BackOff, IsNotTheSameForEverybody) {
  BackOff back_off;
  EXPECT_EQ(back_off.next(0), milliseconds(250));
  EXPECT_EQ(back_off.next(0.5), milliseconds(750));
  EXPECT_EQ(back_off.next(-1), milliseconds(1000));
  EXPECT_EQ(back_off.next(7), milliseconds(4000));
}

TEST(BackOff, IsWhatTheServerAsksFor) {
  BackOff back_off;
  EXPECT_EQ(back_off.next(1, seconds(3)), seconds(3));
  // And the tries count.
  EXPECT_EQ(back_off.next(1, seconds(0)), milliseconds(1000));
}

// An upload whose way has a rate for each connection, and which waits for what a test says.
class RuleTest : public ::testing::Test {
 protected:
  struct Way {
    double gain = 1.25;     // By each further one.
    double most = 1e12;     // Bytes a second.
    double for_room = 0.9;  // Of the time.
    milliseconds round_trip{50};
    // From then on; before, nobody knows it.
    int known_after = 0;  // Looks.
    std::optional<std::uint64_t> left = 1e12;
  };

  // How many connections it has after a minute.
  unsigned after_a_minute(const Way& way, unsigned most = 64) {
    ConnectionRule rule(most);
    double stored = 0;
    constexpr milliseconds kStep{250};
    for (int i = 0; i < 240; ++i) {
      figures_.now += kStep;
      const double rate = std::min(1e6 * std::pow(way.gain, figures_.connections), way.most);
      stored += rate * std::chrono::duration<double>(kStep).count();
      figures_.stored = static_cast<std::uint64_t>(stored);
      figures_.left = way.left;
      figures_.round_trip = i < way.known_after ? milliseconds(0) : way.round_trip;
      figures_.waited_for_room += nanoseconds(static_cast<long>(way.for_room * 250e6));
      const unsigned wanted = rule.wanted(figures_);
      EXPECT_GE(wanted, figures_.connections);
      if (wanted == figures_.connections) continue;
      if (fails_) {
        rule.note_failure();
      } else {
        figures_.connections = wanted;
        added_.push_back({i, wanted});
      }
    }
    return figures_.connections;
  }

  ConnectionRule::Figures figures_{.connections = 1};
  // At which look, and how many there were then.
  std::vector<std::pair<int, unsigned>> added_;
  bool fails_ = false;
};

TEST_F(RuleTest, HasFourAtOnceAndThenOneMoreEachTwoSecondsWhereEachIsWorthIt) {
  EXPECT_EQ(after_a_minute({}), ConnectionRule::kMost);
  const std::vector<std::pair<int, unsigned>> expected{{0, 4}, {9, 5}, {18, 6}, {27, 7}, {36, 8}};
  EXPECT_EQ(added_, expected);
}

TEST_F(RuleTest, HasFourAtOnceAsSoonAsTheWayIsKnown) {
  EXPECT_EQ(after_a_minute({.gain = 1, .known_after = 3}), 5U);
  ASSERT_FALSE(added_.empty());
  EXPECT_EQ(added_[0], (std::pair<int, unsigned>{3, 4}));
}

TEST_F(RuleTest, AddsNoMoreThanTheServerTakes) {
  EXPECT_EQ(after_a_minute({}, 3), 3U);
  EXPECT_EQ(added_.size(), 1U);
}

TEST_F(RuleTest, AddsNoneWhereTheServerTakesOne) { EXPECT_EQ(after_a_minute({}, 1), 1U); }

TEST_F(RuleTest, AddsNoneToANearServer) {
  EXPECT_EQ(after_a_minute({.round_trip = milliseconds(19)}), 1U);
}

TEST_F(RuleTest, AddsNoneWhereTheRoundTripIsNotKnown) {
  EXPECT_EQ(after_a_minute({.round_trip = milliseconds(0)}), 1U);
}

TEST_F(RuleTest, AddsSomeAtTwentyMilliseconds) {
  EXPECT_GT(after_a_minute({.round_trip = milliseconds(20)}), 1U);
}

TEST_F(RuleTest, AddsNoneForWhatIsOverBefore) {
  EXPECT_EQ(after_a_minute({.left = ConnectionRule::kLeastBytes - 1}), 1U);
}

TEST_F(RuleTest, AddsSomeForFourMebibytesOrWhatNobodyKnows) {
  EXPECT_EQ(after_a_minute({.left = ConnectionRule::kLeastBytes}), ConnectionRule::kMost);
  figures_.connections = 1;
  EXPECT_EQ(after_a_minute({.left = std::nullopt}), ConnectionRule::kMost);
}

TEST_F(RuleTest, AddsNoneToTheFourWhereTheSourceOrTheServerIsSlow) {
  EXPECT_EQ(after_a_minute({.for_room = 0.7}), 4U);
}

TEST_F(RuleTest, StopsAfterTheOneThatWasNotWorthIt) {
  EXPECT_EQ(after_a_minute({.gain = 1.15}), 5U);
}

// The fifth and sixth bring half as much again, and the seventh nothing.
TEST_F(RuleTest, StopsAtWhatTheLineHas) {
  EXPECT_EQ(after_a_minute({.gain = 1.5, .most = 1e6 * std::pow(1.5, 6)}), 7U);
}

TEST_F(RuleTest, StopsAfterAFailure) {
  fails_ = true;
  EXPECT_EQ(after_a_minute({}), 1U);
}

// An upload whose rate and connections a test changes while it runs.
class RuleStepTest : public RuleTest {
 protected:
  RuleStepTest() {
    figures_.round_trip = milliseconds(50);
    figures_.connections = 4;
    EXPECT_EQ(rule_.wanted(figures_), 4U);
  }

  // Whether one more is wanted within so many seconds.
  bool asks(double within, double rate) {
    for (int i = 0; i < 4 * within; ++i) {
      figures_.now += milliseconds(250);
      figures_.stored += static_cast<std::uint64_t>(rate / 4);
      figures_.waited_for_room += milliseconds(250);
      if (rule_.wanted(figures_) > figures_.connections) return true;
    }
    return false;
  }

  ConnectionRule rule_{64};
};

TEST_F(RuleStepTest, OneBadMeasurementIsNone) {
  ASSERT_TRUE(asks(5, 2e6));
  ++figures_.connections;
  ASSERT_FALSE(asks(2.5, 2e6));
  EXPECT_TRUE(asks(5, 3e6));
}

TEST_F(RuleStepTest, TwoAreEnough) {
  ASSERT_TRUE(asks(5, 2e6));
  ++figures_.connections;
  ASSERT_FALSE(asks(4.5, 2e6));
  EXPECT_FALSE(asks(30, 4e6));
}

// With another number of them it is another rate.
TEST_F(RuleStepTest, ComparesNothingWithTheRateBeforeALoss) {
  ASSERT_TRUE(asks(5, 2e6));
  ++figures_.connections;
  ASSERT_FALSE(asks(30, 2e6));
  --figures_.connections;
  EXPECT_TRUE(asks(5, 2e6));
}

}  // namespace
}  // namespace webrtcupload
