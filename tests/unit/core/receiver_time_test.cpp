// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The idle time-out and the upload time-out. The tests say what time it is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "core/receiver.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kStart = 1000s;

Limits limits(Duration idle, Duration upload) {
  return {.upload_timeout = upload, .idle_timeout = idle, .min_rate = 0};
}

TEST(ReceiverTime, NoUploadTimeoutByDefault) {
  EXPECT_EQ(Limits{}.upload_timeout, 0s);
  EXPECT_EQ(Limits{}.idle_timeout, 30s);
}

TEST(ReceiverTime, NothingPassesBeforeTheChannelIsOpen) {
  ReceiverDriver driver(limits(30s, 300s));
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver.tick(kStart + 1000h).nothing());
  EXPECT_EQ(driver.state(), UploadState::kIdle);
}

TEST(ReceiverTime, IdleFromTheOpeningToTheNanosecond) {
  ReceiverDriver driver(limits(30s, 300s));
  driver.receiver().opened(kStart);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
  EXPECT_TRUE(driver.tick(kStart).nothing());
  EXPECT_TRUE(driver.tick(kStart + 30s - 1ns).nothing());
  const Outcome outcome = driver.tick(kStart + 30s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kIdleTimeout));
  EXPECT_THAT(outcome.failure->message,
              AllOf(HasSubstr("30 s"), HasSubstr("0 chunks"), Not(HasSubstr("of"))));
  EXPECT_EQ(driver.state(), UploadState::kError);
  EXPECT_TRUE(driver.tick(kStart + 31s).nothing()) << "a failure is given out once";
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
}

TEST(ReceiverTime, LateTickFindsTheTimeoutToo) {
  ReceiverDriver driver(limits(30s, 300s));
  driver.receiver().opened(kStart);
  EXPECT_TRUE(driver.tick(kStart + 299s).failed_with(ErrorCode::kIdleTimeout));
}

// Its next chunk may be behind a keepalive.
TEST(ReceiverTime, TimeThatThePeerIsKeptWaitingIsNotItsOwn) {
  ReceiverDriver driver(limits(30s, 0s));
  driver.chunk(0, 2, pattern(1), kStart);
  driver.receiver().kept_waiting(40s);
  driver.deliver(binary({}), kStart + 40s);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 70s);
  EXPECT_TRUE(driver.tick(kStart + 70s - 1ns).nothing());
  EXPECT_TRUE(driver.tick(kStart + 70s).failed_with(ErrorCode::kIdleTimeout));
}

TEST(ReceiverTime, OpenedCountsOnce) {
  ReceiverDriver driver(limits(30s, 300s));
  driver.receiver().opened(kStart);
  driver.receiver().opened(kStart + 20s);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
  EXPECT_EQ(driver.statistics().opened_at, kStart);
}

TEST(ReceiverTime, AMessageOpensToo) {
  for (const bool keepalive : {true, false}) {
    ReceiverDriver driver(limits(30s, 300s));
    if (keepalive) {
      driver.deliver(binary({}), kStart);
    } else {
      driver.chunk(0, 2, pattern(1), kStart);
    }
    EXPECT_EQ(driver.statistics().opened_at, kStart);
    EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
    EXPECT_TRUE(driver.tick(kStart + 30s).failed_with(ErrorCode::kIdleTimeout));
  }
}

TEST(ReceiverTime, MayBeginWithAChunkOnly) {
  Receiver receiver(limits(30s, 300s), std::make_unique<V1Parser>(), TimeBegins::kWithAChunk);
  EXPECT_TRUE(std::holds_alternative<action::Reply>(receiver.receive(binary({}), kStart)));
  EXPECT_EQ(receiver.statistics().opened_at, std::nullopt);
  EXPECT_EQ(receiver.deadline(), std::nullopt);
  const Bytes chunk = v1_chunk(0, 2, pattern(1));
  EXPECT_TRUE(
      std::holds_alternative<action::Authorize>(receiver.receive(binary(chunk), kStart + 40s)));
  EXPECT_EQ(receiver.deadline(), kStart + 70s);
}

TEST(ReceiverTime, NewChunksRefreshTheIdleTimer) {
  ReceiverDriver driver(limits(30s, 0s));
  driver.receiver().opened(kStart);
  TimePoint now = kStart;
  for (std::uint32_t i = 0; i < 20; ++i) {
    now += 29s;
    EXPECT_TRUE(driver.tick(now).nothing());
    EXPECT_TRUE(driver.chunk(i, 40, pattern(2, i), now).stored);
    EXPECT_EQ(driver.receiver().deadline(), now + 30s);
  }
  EXPECT_TRUE(driver.tick(now + 30s - 1ns).nothing());
  const Outcome outcome = driver.tick(now + 30s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kIdleTimeout));
  EXPECT_THAT(outcome.failure->message, HasSubstr("20 of 40 chunks"));
}

TEST(ReceiverTime, KeepalivesAndDuplicatesDoNotRefreshTheIdleTimer) {
  ReceiverDriver driver(limits(30s, 300s));
  const Bytes payload = pattern(4);
  driver.chunk(0, 2, payload, kStart);
  for (TimePoint now = kStart; now < kStart + 30s; now += 1s) {
    EXPECT_TRUE(driver.deliver(binary({}), now).replied);
    EXPECT_TRUE(driver.chunk(0, 2, payload, now).compared);
    EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
  }
  EXPECT_TRUE(driver.tick(kStart + 30s).failed_with(ErrorCode::kIdleTimeout));
}

// The time that counts is when the chunk is safe, so that a slow storage is not the peer's fault.
TEST(ReceiverTime, IdleCountsFromTheStoring) {
  Receiver receiver(limits(30s, 300s), std::make_unique<V1Parser>());
  const Bytes first = v1_chunk(0, 2, pattern(1));
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), kStart)));
  ASSERT_TRUE(std::holds_alternative<action::Store>(receiver.authorized(true)));
  receiver.stored(kStart + 20s);
  EXPECT_EQ(receiver.deadline(), kStart + 50s);
  EXPECT_EQ(receiver.statistics().first_chunk_at, kStart + 20s);
}

TEST(ReceiverTime, UploadTimeoutIsNotRefreshed) {
  ReceiverDriver driver(limits(0s, 300s));
  driver.receiver().opened(kStart);
  for (std::uint32_t i = 0; i < 9; ++i) {
    driver.chunk(i, 10, pattern(1, i), kStart + 290s + i * 1s);
    EXPECT_EQ(driver.receiver().deadline(), kStart + 300s);
  }
  EXPECT_TRUE(driver.tick(kStart + 300s - 1ns).nothing());
  const Outcome outcome = driver.tick(kStart + 300s);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kUploadTimeout));
  EXPECT_THAT(outcome.failure->message, AllOf(HasSubstr("300 s"), HasSubstr("9 of 10 chunks")));
}

TEST(ReceiverTime, EarlierDeadlineCounts) {
  ReceiverDriver driver(limits(30s, 40s));
  driver.receiver().opened(kStart);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 30s);
  driver.chunk(0, 2, pattern(1), kStart + 20s);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 40s);
  EXPECT_TRUE(driver.tick(kStart + 40s - 1ns).nothing());
  EXPECT_TRUE(driver.tick(kStart + 40s).failed_with(ErrorCode::kUploadTimeout));
}

TEST(ReceiverTime, WhenBothHavePassedTheUploadTimeoutIsNamed) {
  ReceiverDriver driver(limits(30s, 30s));
  driver.receiver().opened(kStart);
  EXPECT_TRUE(driver.tick(kStart + 30s).failed_with(ErrorCode::kUploadTimeout));
}

TEST(ReceiverTime, ZeroIsOff) {
  {
    ReceiverDriver driver(limits(0s, 0s));
    driver.receiver().opened(kStart);
    EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
    EXPECT_TRUE(driver.tick(TimePoint::max()).nothing());
  }
  {
    ReceiverDriver driver(limits(0s, 10s));
    driver.receiver().opened(kStart);
    EXPECT_EQ(driver.receiver().deadline(), kStart + 10s);
    EXPECT_TRUE(driver.tick(kStart + 10s).failed_with(ErrorCode::kUploadTimeout));
  }
  ReceiverDriver driver(limits(10s, 0s));
  driver.receiver().opened(kStart);
  EXPECT_EQ(driver.receiver().deadline(), kStart + 10s);
  EXPECT_TRUE(driver.tick(kStart + 10s).failed_with(ErrorCode::kIdleTimeout));
}

TEST(ReceiverTime, DurationsBeyondTimeAreOff) {
  // GST_CLOCK_TIME_NONE becomes -1 on its way into a signed Duration.
  for (const Duration endless : {Duration::max(), Duration::max() - 999s, Duration(-1)}) {
    ReceiverDriver driver(limits(endless, endless));
    driver.receiver().opened(kStart);
    EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
    EXPECT_TRUE(driver.tick(kStart + 1ns).nothing());
    EXPECT_TRUE(driver.tick(TimePoint::max()).nothing());
  }
  // The last moment that can still be said.
  ReceiverDriver driver(limits(Duration::max() - kStart, 0s));
  driver.receiver().opened(kStart);
  EXPECT_EQ(driver.receiver().deadline(), TimePoint::max());
  EXPECT_TRUE(driver.tick(TimePoint::max() - 1ns).nothing());
  EXPECT_TRUE(driver.tick(TimePoint::max()).failed_with(ErrorCode::kIdleTimeout));
}

TEST(ReceiverTime, FractionsOfASecondAreWritten) {
  ReceiverDriver driver(limits(500ms, 0s));
  driver.receiver().opened(kStart);
  EXPECT_THAT(driver.tick(kStart + 500ms).failure->message, HasSubstr("0.5 s"));
}

TEST(ReceiverTime, NoTimeoutOnceComplete) {
  ReceiverDriver driver(limits(30s, 300s));
  driver.chunk(0, 1, pattern(1), kStart);
  ASSERT_EQ(driver.state(), UploadState::kComplete);
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver.tick(kStart + 1000h).nothing());
  ASSERT_TRUE(driver.receiver().begin_processing());
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(driver.tick(kStart + 1000h).nothing());
  EXPECT_EQ(driver.state(), UploadState::kProcessing);
}

TEST(ReceiverTime, TimeoutWhileAuthorizationIsAskedFor) {
  Receiver receiver(limits(30s, 300s), std::make_unique<V1Parser>());
  const Bytes first = v1_chunk(0, 2, pattern(1));
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), kStart)));
  EXPECT_TRUE(std::holds_alternative<action::Fail>(receiver.tick(kStart + 30s)));
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(true)));
  receiver.stored(kStart + 31s);
  EXPECT_EQ(receiver.state(), UploadState::kError);
  EXPECT_EQ(receiver.statistics().chunks, 0U);
}

}  // namespace
}  // namespace webrtcupload::testing
