// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The lowest rate that an upload may have, on a clock that the test turns.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include "core/receiver.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr TimePoint kStart = 1000s;
constexpr std::uint32_t kTotal = 10000;

// 10 bytes a second: 600 in a minute.
Limits slow_limits() { return {.idle_timeout = 0s, .min_rate = 10}; }

class ReceiverRate : public ::testing::Test {
 protected:
  void chunk(std::size_t size, TimePoint now) {
    ASSERT_TRUE(driver_.chunk(next_, kTotal, pattern(size, next_), now).stored);
    ++next_;
  }

  ReceiverDriver driver_{slow_limits()};
  std::uint32_t next_ = 0;
};

TEST_F(ReceiverRate, JustEnoughPassesMinuteAfterMinute) {
  TimePoint minute = kStart;
  chunk(1, minute);
  chunk(599, minute + 1s);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(driver_.receiver().deadline(), minute + 60s);
    EXPECT_TRUE(driver_.tick(minute + 60s - 1ns).nothing());
    EXPECT_TRUE(driver_.tick(minute + 60s).nothing());
    minute += 60s;
    chunk(600, minute + 59s);
  }
  EXPECT_EQ(driver_.state(), UploadState::kUploading);
}

TEST_F(ReceiverRate, OneByteLessFails) {
  chunk(599, kStart);
  EXPECT_TRUE(driver_.tick(kStart + 60s - 1ns).nothing());
  const Outcome outcome = driver_.tick(kStart + 60s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooSlow));
  EXPECT_THAT(outcome.failure->message,
              AllOf(HasSubstr("599 bytes came in 60 s"), HasSubstr("at least 10 a second"),
                    HasSubstr("1 of 10000 chunks")));
  EXPECT_EQ(driver_.state(), UploadState::kError);
  EXPECT_EQ(driver_.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver_.tick(kStart + 61s).nothing()) << "a failure is given out once";
}

// Each minute counts for itself: a fast begin buys nothing.
TEST_F(ReceiverRate, WhatCameBeforeDoesNotCount) {
  chunk(60000, kStart);
  EXPECT_TRUE(driver_.tick(kStart + 60s).nothing());
  chunk(599, kStart + 61s);
  EXPECT_TRUE(driver_.tick(kStart + 120s - 1ns).nothing());
  const Outcome outcome = driver_.tick(kStart + 120s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooSlow));
  EXPECT_THAT(outcome.failure->message, HasSubstr("599 bytes"));
}

// A line that stands still for most of a minute is not slow.
TEST_F(ReceiverRate, GapsAreNoMatter) {
  TimePoint now = kStart;
  chunk(600, now);
  for (int i = 0; i < 20; ++i) {
    now += 59s;
    EXPECT_TRUE(driver_.tick(now).nothing());
    chunk(1300, now);
  }
}

TEST_F(ReceiverRate, CountsFromTheFirstChunk) {
  driver_.receiver().opened(kStart);
  EXPECT_EQ(driver_.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver_.tick(kStart + 1000h).nothing());
  chunk(1, kStart + 1001h);
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 1001h + 60s);
  EXPECT_TRUE(driver_.tick(kStart + 1001h + 60s).failed_with(ErrorCode::kTooSlow));
}

TEST_F(ReceiverRate, OnlyNewChunksCount) {
  const Bytes payload = pattern(300, 0);
  chunk(300, kStart);
  for (TimePoint now = kStart; now < kStart + 60s; now += 1s) {
    EXPECT_TRUE(driver_.chunk(0, kTotal, payload, now).compared);
    EXPECT_TRUE(driver_.deliver(binary({}), now).replied);
  }
  EXPECT_TRUE(driver_.tick(kStart + 60s).failed_with(ErrorCode::kTooSlow));
}

// One new byte now and then keeps the idle time-out away, and nothing else.
TEST(ReceiverRateDefault, TricklesAreEndedWithinAMinute) {
  ReceiverDriver driver;
  TimePoint now = kStart;
  std::uint32_t index = 0;
  Outcome outcome;
  while (!outcome.failure && now < kStart + 1h) {
    driver.chunk(index, kTotal, pattern(1, index), now);
    ++index;
    now += 20s;
    outcome = driver.tick(now);
  }
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooSlow));
  EXPECT_EQ(now, kStart + 60s);
}

// 64 kbit/s, of which protocols take a part, and nothing for a third of each minute.
TEST(ReceiverRateDefault, AVeryBadLineGetsThrough) {
  constexpr double kBytesPerSecond = 7360;
  constexpr double kMoving = 40;
  constexpr std::uint32_t kChunks = 1000;
  for (const double first_gap : {0., 7., 20., 33., 47.}) {
    ReceiverDriver driver;
    const Bytes payload = pattern(49152);
    TimePoint now = kStart;
    for (std::uint32_t i = 0; i < kChunks; ++i) {
      // When the line has carried this chunk: so long moving, and the gaps that lie before.
      const double moving = (i + 1) * 49152. / kBytesPerSecond + first_gap;
      const double time = moving + 20 * std::floor(moving / kMoving);
      now = kStart + std::chrono::milliseconds(static_cast<std::int64_t>(time * 1000));
      // The clock also strikes in between.
      while (const auto deadline = driver.receiver().deadline()) {
        if (*deadline > now) break;
        ASSERT_TRUE(driver.tick(*deadline).nothing()) << i << " " << first_gap;
      }
      ASSERT_TRUE(driver.chunk(i, kChunks, payload, now).stored);
    }
    EXPECT_TRUE(driver.receiver().complete());
    EXPECT_GT(now - kStart, 2h);
  }
}

TEST_F(ReceiverRate, ALateLookIsNoReasonToFail) {
  chunk(600, kStart);
  EXPECT_TRUE(driver_.tick(kStart + 200s).nothing());
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 260s);
  chunk(600, kStart + 259s);
  EXPECT_TRUE(driver_.tick(kStart + 260s).nothing());
}

TEST_F(ReceiverRate, TimeThatThePeerIsKeptWaitingIsNotItsOwn) {
  chunk(300, kStart);
  driver_.receiver().kept_waiting(90s);
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 150s);
  EXPECT_TRUE(driver_.tick(kStart + 150s - 1ns).nothing());
  chunk(300, kStart + 150s - 1ns);
  EXPECT_TRUE(driver_.tick(kStart + 150s).nothing());
  driver_.receiver().kept_waiting(-1s);
  driver_.receiver().kept_waiting(0s);
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 210s);
  driver_.receiver().kept_waiting(Duration::max());
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 210s) << "a time beyond time";
}

TEST(ReceiverRateOff, ZeroIsOff) {
  ReceiverDriver driver({.idle_timeout = 0s, .min_rate = 0});
  driver.chunk(0, 2, pattern(1), kStart);
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver.tick(kStart + 1000h).nothing());
}

TEST(ReceiverRateOff, TheLargestDoesNotOverflow) {
  ReceiverDriver driver({.idle_timeout = 0s, .min_rate = UINT64_MAX});
  driver.chunk(0, 2, pattern(10), kStart);
  EXPECT_TRUE(driver.tick(kStart + 60s).failed_with(ErrorCode::kTooSlow));
}

TEST(ReceiverRateOff, NotOnceComplete) {
  ReceiverDriver driver;
  driver.chunk(0, 1, pattern(1), kStart);
  ASSERT_EQ(driver.state(), UploadState::kComplete);
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver.tick(kStart + 1000h).nothing());
}

TEST(ReceiverRateDefault, WhoSaysNothingIsIdleFirst) {
  ReceiverDriver driver;
  driver.chunk(0, 2, pattern(1), kStart);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
  EXPECT_TRUE(driver.tick(kStart + 60s).failed_with(ErrorCode::kIdleTimeout));
}

// -------------------------------------------------------------------------------------------------
// going on after a pause

TEST_F(ReceiverRate, APauseIsNobodysFault) {
  chunk(1, kStart);
  driver_.receiver().resume({.idle_timeout = 40s, .min_rate = 10}, kStart + 1h);
  EXPECT_EQ(driver_.receiver().deadline(), kStart + 1h + 40s);
  EXPECT_TRUE(driver_.tick(kStart + 1h + 40s - 1ns).nothing());
  chunk(599, kStart + 1h + 40s - 1ns);
  EXPECT_TRUE(driver_.tick(kStart + 1h + 60s - 1ns).nothing());
  EXPECT_TRUE(driver_.tick(kStart + 1h + 60s).failed_with(ErrorCode::kTooSlow))
      << "what came before the pause does not count after it";
}

TEST_F(ReceiverRate, OtherLimitsAfterAPause) {
  chunk(500, kStart);
  Limits tighter = slow_limits();
  // Below what is there already.
  tighter.max_size = 400;
  driver_.receiver().resume(tighter, kStart + 1s);
  const Bytes again = pattern(500, 0);
  EXPECT_TRUE(driver_.chunk(0, kTotal, again, kStart + 1s).compared);
  const Outcome outcome = driver_.chunk(1, kTotal, pattern(1, 1), kStart + 1s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooLarge));
  EXPECT_THAT(outcome.failure->message, AllOf(HasSubstr("501 bytes"), HasSubstr("at most 400")));
}

TEST(ReceiverResume, AQuestionThatWasOpenIsAskedAgain) {
  Receiver receiver({}, std::make_unique<V1Parser>());
  const Bytes first = v1_chunk(0, 2, pattern(1));
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), kStart)));
  receiver.resume({}, kStart + 1h);
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(true)));
  ASSERT_TRUE(
      std::holds_alternative<action::Authorize>(receiver.receive(binary(first), kStart + 1h)));
  EXPECT_TRUE(std::holds_alternative<action::Store>(receiver.authorized(true)));
}

}  // namespace
}  // namespace webrtcupload::testing
