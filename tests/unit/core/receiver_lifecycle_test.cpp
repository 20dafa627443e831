// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the receiver does from state to state, and what it says about itself meanwhile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/receiver.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

constexpr UploadState kStates[] = {UploadState::kIdle,     UploadState::kUploading,
                                   UploadState::kComplete, UploadState::kProcessing,
                                   UploadState::kDone,     UploadState::kError};

constexpr ErrorCode kCodes[] = {
    ErrorCode::kMalformedMessage, ErrorCode::kTooManyChunks, ErrorCode::kTotalChanged,
    ErrorCode::kBadIndex,         ErrorCode::kChunkTooLarge, ErrorCode::kTooLarge,
    ErrorCode::kConflictingChunk, ErrorCode::kIdleTimeout,   ErrorCode::kUploadTimeout,
    ErrorCode::kPeerGone,         ErrorCode::kUnauthorized,  ErrorCode::kQuotaExceeded,
    ErrorCode::kStorageFailed,    ErrorCode::kOverloaded,    ErrorCode::kCancelled};

// An upload of two chunks of four bytes that has come as far as `state`.
void bring_to(ReceiverDriver& driver, UploadState state) {
  if (state == UploadState::kError) {
    driver.fail(ErrorCode::kCancelled);
  } else if (state != UploadState::kIdle) {
    driver.chunk(0, 2, pattern(4, 0));
    if (state != UploadState::kUploading) driver.chunk(1, 2, pattern(4, 1));
    if (state == UploadState::kProcessing || state == UploadState::kDone) {
      EXPECT_TRUE(driver.receiver().begin_processing());
    }
    if (state == UploadState::kDone) driver.receiver().finish_processing();
  }
  ASSERT_EQ(to_string(driver.state()), to_string(state));
}

bool has_ended(UploadState state) {
  return state == UploadState::kDone || state == UploadState::kError;
}

bool is_complete(UploadState state) {
  return state == UploadState::kComplete || state == UploadState::kProcessing ||
         state == UploadState::kDone;
}

TEST(ReceiverLifecycle, FailInEveryStateWithEveryCode) {
  for (const UploadState state : kStates) {
    for (const ErrorCode code : kCodes) {
      SCOPED_TRACE(std::string(to_string(state)) + ", " + std::string(to_string(code)));
      ReceiverDriver driver;
      bring_to(driver, state);
      const std::optional<Error> before = driver.receiver().error();
      const Outcome outcome = driver.fail(code, "because");
      if (has_ended(state) || (code == ErrorCode::kPeerGone && is_complete(state))) {
        EXPECT_TRUE(outcome.nothing());
        EXPECT_EQ(driver.state(), state);
        EXPECT_EQ(driver.receiver().error(), before);
        continue;
      }
      EXPECT_EQ(outcome.failure, (Error{code, "because"}));
      EXPECT_EQ(driver.receiver().error(), (Error{code, "because"}));
      EXPECT_EQ(driver.state(), UploadState::kError);
      EXPECT_FALSE(driver.receiver().complete());
      EXPECT_EQ(driver.statistics().rejected, 0U) << "the peer broke no rule";
      // Only the first failure counts.
      EXPECT_TRUE(driver.fail(ErrorCode::kOverloaded).nothing());
      EXPECT_EQ(driver.receiver().error()->code, code);
    }
  }
}

// Also one that is done: a short file has been read to its end before anybody has looked at it.
TEST(ReceiverLifecycle, RefuseInEveryState) {
  for (const UploadState state : kStates) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    const std::optional<Error> before = driver.receiver().error();
    const Outcome outcome = driver.refuse(ErrorCode::kNotAVideo, "because");
    EXPECT_EQ(driver.state(), UploadState::kError);
    if (state == UploadState::kError) {
      EXPECT_TRUE(outcome.nothing());
      EXPECT_EQ(driver.receiver().error(), before) << "only the first failure counts";
      continue;
    }
    EXPECT_EQ(outcome.failure, (Error{ErrorCode::kNotAVideo, "because"}));
    EXPECT_EQ(driver.receiver().error(), (Error{ErrorCode::kNotAVideo, "because"}));
    EXPECT_FALSE(driver.receiver().complete());
    EXPECT_TRUE(driver.refuse(ErrorCode::kNotAVideo).nothing());
  }
}

TEST(ReceiverLifecycle, CompleteSaysWhetherAllBytesAreThere) {
  for (const UploadState state : kStates) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    EXPECT_EQ(driver.receiver().complete(), is_complete(state));
    EXPECT_EQ(driver.receiver().error().has_value(), state == UploadState::kError);
  }
}

TEST(ReceiverLifecycle, ProcessingBeginsExactlyOnceAndOnlyWhenComplete) {
  for (const UploadState state : kStates) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    EXPECT_EQ(driver.receiver().begin_processing(), state == UploadState::kComplete);
    EXPECT_FALSE(driver.receiver().begin_processing());
    EXPECT_EQ(driver.state(), state == UploadState::kComplete ? UploadState::kProcessing : state);
  }
}

TEST(ReceiverLifecycle, ProcessingFinishesOnlyWhatWasBegun) {
  for (const UploadState state : kStates) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    driver.receiver().finish_processing();
    EXPECT_EQ(driver.state(), state == UploadState::kProcessing ? UploadState::kDone : state);
  }
}

TEST(ReceiverLifecycle, MessagesAfterTheLastChunkOrAFailureAreCountedAndIgnored) {
  for (const UploadState state : {UploadState::kComplete, UploadState::kProcessing,
                                  UploadState::kDone, UploadState::kError}) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    const Bytes before = driver.memory().bytes;
    EXPECT_TRUE(driver.chunk(0, 2, pattern(4, 0)).nothing()) << "a duplicate";
    EXPECT_TRUE(driver.chunk(0, 2, pattern(4, 7)).nothing()) << "a conflict";
    EXPECT_TRUE(driver.chunk(7, 2, pattern(4, 7)).nothing()) << "a bad index";
    EXPECT_TRUE(driver.chunk(0, 3, pattern(4, 7)).nothing()) << "another total";
    EXPECT_TRUE(driver.deliver(binary(Bytes(3))).nothing()) << "a truncated header";
    EXPECT_TRUE(driver.deliver(text_message(pattern(30))).nothing()) << "text";
    EXPECT_EQ(driver.statistics().ignored, 6U);
    EXPECT_EQ(driver.statistics().rejected, 0U);
    EXPECT_EQ(driver.statistics().duplicates, 0U);
    EXPECT_EQ(driver.state(), state);
    EXPECT_EQ(driver.memory().bytes, before);
  }
}

TEST(ReceiverLifecycle, MessageAfterABrokenRuleIsIgnored) {
  ReceiverDriver driver;
  EXPECT_TRUE(driver.chunk(5, 2, pattern(4)).failed_with(ErrorCode::kBadIndex));
  EXPECT_TRUE(driver.chunk(5, 2, pattern(4)).nothing());
  EXPECT_TRUE(driver.chunk(0, 2, pattern(4)).nothing());
  EXPECT_EQ(driver.statistics().rejected, 1U);
  EXPECT_EQ(driver.statistics().ignored, 2U);
}

// Answers nobody waits for: from a caller that was late, or mistaken.
TEST(ReceiverLifecycle, AnswersWithoutAQuestionChangeNothing) {
  for (const UploadState state : kStates) {
    SCOPED_TRACE(to_string(state));
    ReceiverDriver driver;
    bring_to(driver, state);
    const ReceiverStatistics before = driver.statistics();
    EXPECT_TRUE(std::holds_alternative<action::Nothing>(driver.receiver().authorized(true)));
    EXPECT_TRUE(std::holds_alternative<action::Nothing>(driver.receiver().authorized(false)));
    EXPECT_TRUE(std::holds_alternative<action::Nothing>(driver.receiver().compared(true)));
    EXPECT_TRUE(std::holds_alternative<action::Nothing>(driver.receiver().compared(false)));
    driver.receiver().stored(5s);
    EXPECT_EQ(driver.state(), state);
    EXPECT_EQ(driver.statistics().chunks, before.chunks);
    EXPECT_EQ(driver.statistics().bytes, before.bytes);
    EXPECT_EQ(driver.statistics().duplicates, 0U);
  }
}

TEST(ReceiverLifecycle, AnswersToAnotherQuestionChangeNothing) {
  const Bytes first = v1_chunk(0, 3, pattern(4, 0));
  Receiver receiver({}, std::make_unique<V1Parser>());
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), {})));
  receiver.stored({});
  EXPECT_EQ(receiver.statistics().chunks, 0U) << "stored without having been authorized";
  EXPECT_EQ(receiver.state(), UploadState::kIdle);
  ASSERT_TRUE(std::holds_alternative<action::Store>(receiver.authorized(true)));
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(true)));
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(false)));
  receiver.stored({});
  EXPECT_EQ(receiver.statistics().chunks, 1U);

  Receiver other({}, std::make_unique<V1Parser>());
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(other.receive(binary(first), {})));
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(other.compared(false)));
  EXPECT_EQ(other.state(), UploadState::kIdle);
}

TEST(ReceiverLifecycle, AnswersAfterAFailureChangeNothing) {
  const Bytes first = v1_chunk(0, 3, pattern(4, 0));
  const Bytes second = v1_chunk(1, 3, pattern(4, 1));
  {
    Receiver receiver({}, std::make_unique<V1Parser>());
    ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), {})));
    ASSERT_TRUE(std::holds_alternative<action::Fail>(receiver.fail({ErrorCode::kPeerGone, ""})));
    EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(false)));
    EXPECT_EQ(receiver.error()->code, ErrorCode::kPeerGone);
  }
  Receiver receiver({}, std::make_unique<V1Parser>());
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(first), {})));
  ASSERT_TRUE(std::holds_alternative<action::Store>(receiver.authorized(true)));
  receiver.stored({});
  ASSERT_TRUE(std::holds_alternative<action::Store>(receiver.receive(binary(second), {})));
  ASSERT_TRUE(std::holds_alternative<action::Fail>(receiver.fail({ErrorCode::kPeerGone, ""})));
  receiver.stored({});
  EXPECT_EQ(receiver.statistics().chunks, 1U);
  EXPECT_EQ(receiver.chunks().find(1), std::nullopt);
  EXPECT_EQ(receiver.state(), UploadState::kError);
}

TEST(ReceiverLifecycle, DuplicateLeavesNoAnswerOpen) {
  ReceiverDriver driver;
  driver.chunk(0, 2, pattern(4, 0));
  driver.chunk(0, 2, pattern(4, 0));
  driver.receiver().stored({});
  EXPECT_EQ(driver.statistics().chunks, 1U);
  EXPECT_EQ(driver.state(), UploadState::kUploading);
}

TEST(ReceiverLifecycle, StatisticsOfAWholeUpload) {
  ReceiverDriver driver;
  EXPECT_EQ(driver.statistics().opened_at, std::nullopt);
  driver.receiver().opened(1s);
  driver.deliver(binary({}), 2s);
  driver.chunk(1, 3, pattern(20, 1), 3s);
  EXPECT_EQ(driver.statistics().completed_at, std::nullopt);
  driver.chunk(1, 3, pattern(20, 1), 4s);
  driver.chunk(0, 3, pattern(30, 0), 5s);
  driver.chunk(2, 3, pattern(10, 2), 6s);
  driver.chunk(2, 3, pattern(10, 2), 7s);

  const ReceiverStatistics& statistics = driver.statistics();
  EXPECT_EQ(statistics.bytes, 60U);
  EXPECT_EQ(statistics.chunks, 3U);
  EXPECT_EQ(statistics.chunks_announced, 3U);
  EXPECT_EQ(statistics.duplicates, 1U);
  EXPECT_EQ(statistics.rejected, 0U);
  EXPECT_EQ(statistics.ignored, 1U);
  EXPECT_EQ(statistics.keepalives, 1U);
  EXPECT_EQ(statistics.opened_at, TimePoint(1s));
  EXPECT_EQ(statistics.first_chunk_at, TimePoint(3s));
  EXPECT_EQ(statistics.completed_at, TimePoint(6s));
}

TEST(ReceiverLifecycle, ExpectedSizeIsAnUpperBoundAndThenExact) {
  ReceiverDriver driver({.max_size = 1000});
  EXPECT_EQ(driver.receiver().expected_size(), std::nullopt);
  driver.chunk(0, 4, pattern(100, 0));
  EXPECT_EQ(driver.receiver().expected_size(), 400U);
  driver.chunk(3, 4, pattern(30, 3));
  EXPECT_EQ(driver.receiver().expected_size(), 330U);
  driver.chunk(1, 4, pattern(200, 1));
  EXPECT_EQ(driver.receiver().expected_size(), 530U) << "a larger chunk raises the guess";
  driver.chunk(2, 4, pattern(50, 2));
  EXPECT_EQ(driver.receiver().expected_size(), 380U);
}

TEST(ReceiverLifecycle, ExpectedSizeNeverExceedsTheLimit) {
  ReceiverDriver driver({.max_size = 150});
  driver.chunk(0, 4, pattern(100, 0));
  EXPECT_EQ(driver.receiver().expected_size(), 150U);
}

TEST(ReceiverLifecycle, PercentIsRoundedDown) {
  ReceiverDriver driver;
  EXPECT_EQ(driver.receiver().percent(), 0);
  const int expected[] = {14, 28, 42, 57, 71, 85, 100};
  for (std::uint32_t i = 0; i < 7; ++i) {
    driver.chunk(i, 7, pattern(1, i));
    EXPECT_EQ(driver.receiver().percent(), expected[i]);
  }
  ReceiverDriver nearly({.max_chunks = 1000});
  for (std::uint32_t i = 0; i < 999; ++i) nearly.chunk(i, 1000, pattern(1, i));
  EXPECT_EQ(nearly.receiver().percent(), 99) << "100 is for the whole file only";
}

}  // namespace
}  // namespace webrtcupload::testing
