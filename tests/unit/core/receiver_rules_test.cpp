// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a peer may send: each rule at its boundary, one below and one above, and which rule wins
// when several are broken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/receiver.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Small enough to reach every limit with a few bytes.
Limits small_limits() { return {.max_size = 100, .max_chunks = 10, .max_chunk_size = 40}; }

void expect_failed(const ReceiverDriver& driver, const Outcome& outcome, ErrorCode code) {
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(to_string(outcome.failure->code), to_string(code));
  EXPECT_EQ(driver.state(), UploadState::kError);
  EXPECT_EQ(driver.receiver().error(), outcome.failure);
  EXPECT_FALSE(outcome.stored);
  EXPECT_FALSE(outcome.replied);
  // Counted when it was the peer that broke a rule.
  const bool peer_at_fault = code != ErrorCode::kUnauthorized && code != ErrorCode::kStorageFailed;
  EXPECT_EQ(driver.statistics().rejected, peer_at_fault ? 1U : 0U);
}

TEST(ReceiverRules, MalformedMessages) {
  const Bytes chunk = v1_chunk(0, 1, pattern(3));
  const Bytes no_payload = v1_chunk(0, 1, {});
  const std::pair<Message, const char*> cases[] = {
      {binary(ByteView(chunk).first(2)), "2 bytes"},
      {binary(ByteView(chunk).first(7)), "7 bytes"},
      {binary(no_payload), "empty payload"},
      {text_message(chunk), "text message of 11 bytes"},
      {text_message(ByteView(chunk).first(2)), "text message of 2 bytes"},
  };
  for (const auto& [message, words] : cases) {
    SCOPED_TRACE(words);
    ReceiverDriver driver(small_limits());
    const Outcome outcome = driver.deliver(message);
    expect_failed(driver, outcome, ErrorCode::kMalformedMessage);
    EXPECT_THAT(outcome.failure->message, HasSubstr(words));
    EXPECT_FALSE(outcome.asked) << "nobody has to authorize what cannot be read";
    EXPECT_THAT(driver.memory().bytes, IsEmpty());
  }
}

TEST(ReceiverRules, MalformedMessageInTheMiddleOfAnUpload) {
  ReceiverDriver driver(small_limits());
  EXPECT_TRUE(driver.chunk(0, 2, pattern(3)).stored);
  expect_failed(driver, driver.deliver(binary(Bytes(8))), ErrorCode::kMalformedMessage);
}

TEST(ReceiverRules, NoChunksAnnounced) {
  ReceiverDriver driver(small_limits());
  const Outcome outcome = driver.chunk(0, 0, pattern(3));
  expect_failed(driver, outcome, ErrorCode::kTooManyChunks);
  EXPECT_THAT(outcome.failure->message, HasSubstr("0 chunks"));
  EXPECT_FALSE(outcome.asked);
}

TEST(ReceiverRules, ChunksAnnounced) {
  for (const std::uint32_t total : {1U, 9U, 10U}) {
    ReceiverDriver driver(small_limits());
    EXPECT_TRUE(driver.chunk(0, total, pattern(1)).stored) << total;
    EXPECT_EQ(driver.statistics().chunks_announced, total);
  }
  for (const std::uint32_t total : {11U, 0xffffffffU}) {
    ReceiverDriver driver(small_limits());
    const Outcome outcome = driver.chunk(0, total, pattern(1));
    expect_failed(driver, outcome, ErrorCode::kTooManyChunks);
    EXPECT_THAT(outcome.failure->message,
                AllOf(HasSubstr(std::to_string(total)), HasSubstr("at most 10")));
    EXPECT_FALSE(outcome.asked);
    EXPECT_EQ(driver.statistics().chunks_announced, 0U);
  }
}

TEST(ReceiverRules, TotalMayNotChange) {
  for (const std::uint32_t total : {4U, 6U}) {
    ReceiverDriver driver(small_limits());
    EXPECT_TRUE(driver.chunk(1, 5, pattern(1)).stored);
    EXPECT_TRUE(driver.chunk(2, 5, pattern(1)).stored);
    const Outcome outcome = driver.chunk(3, total, pattern(1));
    expect_failed(driver, outcome, ErrorCode::kTotalChanged);
    EXPECT_THAT(outcome.failure->message,
                AllOf(HasSubstr("chunk 3"), HasSubstr(std::to_string(total) + " chunks"),
                      HasSubstr("earlier ones 5")));
  }
}

TEST(ReceiverRules, TotalMayNotChangeForADuplicateEither) {
  ReceiverDriver driver(small_limits());
  EXPECT_TRUE(driver.chunk(1, 5, pattern(1)).stored);
  expect_failed(driver, driver.chunk(1, 4, pattern(1)), ErrorCode::kTotalChanged);
}

TEST(ReceiverRules, IndexBelowTotal) {
  {
    ReceiverDriver driver(small_limits());
    EXPECT_TRUE(driver.chunk(4, 5, pattern(1)).stored);
  }
  for (const std::uint32_t index : {5U, 6U, 0xffffffffU}) {
    for (const bool first : {true, false}) {
      ReceiverDriver driver(small_limits());
      if (!first) {
        EXPECT_TRUE(driver.chunk(0, 5, pattern(1)).stored);
      }
      const Outcome outcome = driver.chunk(index, 5, pattern(1));
      expect_failed(driver, outcome, ErrorCode::kBadIndex);
      EXPECT_THAT(outcome.failure->message,
                  AllOf(HasSubstr("index " + std::to_string(index)), HasSubstr("5 chunks")));
      EXPECT_FALSE(outcome.asked);
    }
  }
}

TEST(ReceiverRules, ChunkSize) {
  for (const std::size_t size : {1U, 39U, 40U}) {
    ReceiverDriver driver(small_limits());
    EXPECT_TRUE(driver.chunk(0, 2, pattern(size)).stored) << size;
  }
  for (const bool first : {true, false}) {
    ReceiverDriver driver(small_limits());
    if (!first) {
      EXPECT_TRUE(driver.chunk(0, 2, pattern(1)).stored);
    }
    const Outcome outcome = driver.chunk(1, 2, pattern(41));
    expect_failed(driver, outcome, ErrorCode::kChunkTooLarge);
    EXPECT_THAT(outcome.failure->message,
                AllOf(HasSubstr("chunk 1"), HasSubstr("41 bytes"), HasSubstr("at most 40")));
    EXPECT_FALSE(outcome.asked);
  }
}

// What arrives of a message above the limit is a piece of it: nothing of it is looked at.
TEST(ReceiverRules, MessageSize) {
  const Limits open{.max_chunk_size = UINT32_MAX};
  {
    ReceiverDriver driver(open);
    EXPECT_TRUE(driver.chunk(0, 1, pattern(65528)).stored);
    EXPECT_EQ(driver.state(), UploadState::kComplete);
  }
  // The first that is too large arrives whole; of larger ones pieces, the first from 65,536 bytes
  // on.
  for (const std::size_t payload : {65529U, 65992U, 170397U}) {
    for (const bool first : {true, false}) {
      for (const bool text : {false, true}) {
        ReceiverDriver driver(open);
        if (!first) {
          EXPECT_TRUE(driver.chunk(1, 2, pattern(1)).stored);
        }
        const Bytes bytes = v1_chunk(0, first ? 1 : 2, pattern(payload));
        const Outcome outcome = driver.deliver(text ? text_message(bytes) : binary(bytes));
        expect_failed(driver, outcome, ErrorCode::kChunkTooLarge);
        EXPECT_THAT(outcome.failure->message,
                    AllOf(HasSubstr("65536"), HasSubstr(std::to_string(payload + 8)),
                          HasSubstr("RFC 8841"), HasSubstr("at most 65528")));
        EXPECT_FALSE(outcome.asked);
        // The rest of it: whatever it looks like, it changes nothing any more.
        EXPECT_TRUE(driver.chunk(0, first ? 1 : 2, pattern(100)).nothing());
        EXPECT_EQ(driver.state(), UploadState::kError);
      }
    }
  }
}

TEST(ReceiverRules, DefaultChunkSize) {
  ReceiverDriver driver;
  EXPECT_TRUE(driver.chunk(0, 3, pattern(65528)).stored);
  ReceiverDriver smaller({.max_chunk_size = 65527});
  expect_failed(smaller, smaller.chunk(0, 3, pattern(65528)), ErrorCode::kChunkTooLarge);
}

TEST(ReceiverRules, ChunksOfAFileOfTheLargestSize) {
  // 4 GB in chunks of 16 KiB.
  const Limits limits{.max_size = 4'000'000'000};
  {
    ReceiverDriver driver(limits);
    EXPECT_TRUE(driver.chunk(0, 244'141, pattern(1)).stored);
  }
  ReceiverDriver driver(limits);
  const Outcome outcome = driver.chunk(0, 244'142, pattern(1));
  expect_failed(driver, outcome, ErrorCode::kTooManyChunks);
  EXPECT_THAT(outcome.failure->message, HasSubstr("at most 244141"));
}

TEST(ReceiverRules, FileSize) {
  for (const std::size_t last : {19U, 20U}) {
    ReceiverDriver driver(small_limits());
    driver.chunk(0, 3, pattern(40, 0));
    driver.chunk(1, 3, pattern(40, 1));
    EXPECT_TRUE(driver.chunk(2, 3, pattern(last, 2)).stored) << last;
    EXPECT_EQ(driver.state(), UploadState::kComplete);
    EXPECT_EQ(driver.file().size(), 80 + last);
  }
  ReceiverDriver driver(small_limits());
  driver.chunk(0, 4, pattern(40, 0));
  driver.chunk(1, 4, pattern(40, 1));
  const Outcome outcome = driver.chunk(2, 4, pattern(21, 2));
  expect_failed(driver, outcome, ErrorCode::kTooLarge);
  EXPECT_THAT(outcome.failure->message,
              AllOf(HasSubstr("at least 101 bytes"), HasSubstr("at most 100")));
  EXPECT_EQ(driver.memory().bytes.size(), 80U) << "nothing beyond the limit is stored";
}

TEST(ReceiverRules, FileSizeOfTheFirstChunk) {
  {
    ReceiverDriver driver({.max_size = 40});
    EXPECT_TRUE(driver.chunk(0, 1, pattern(40)).stored);
  }
  ReceiverDriver driver({.max_size = 40});
  const Outcome outcome = driver.chunk(0, 1, pattern(41));
  expect_failed(driver, outcome, ErrorCode::kTooLarge);
  EXPECT_FALSE(outcome.asked);
}

// Bytes count, not announced chunks times a size: clients with a short first chunk are honest too.
TEST(ReceiverRules, AnnouncedTotalsDoNotCountAgainstTheFileSize) {
  ReceiverDriver driver(small_limits());
  EXPECT_TRUE(driver.chunk(0, 10, pattern(40)).stored);
  for (std::uint32_t i = 1; i < 10; ++i) EXPECT_TRUE(driver.chunk(i, 10, pattern(1, i)).stored);
  EXPECT_EQ(driver.state(), UploadState::kComplete);
}

TEST(ReceiverRules, LargestLimitsDoNotOverflow) {
  ReceiverDriver driver(
      {.max_size = UINT64_MAX, .max_chunks = UINT32_MAX, .max_chunk_size = UINT32_MAX});
  EXPECT_TRUE(driver.chunk(UINT32_MAX - 1, UINT32_MAX, pattern(100)).stored);
  EXPECT_EQ(driver.memory().reserved, 100 + kReserveStep);
  EXPECT_EQ(driver.memory().expected, 100ULL * UINT32_MAX);
  EXPECT_EQ(driver.receiver().expected_size(), 100ULL * UINT32_MAX);
  EXPECT_EQ(driver.receiver().percent(), 0);
}

TEST(ReceiverRules, DuplicateIsCountedAndIgnored) {
  ReceiverDriver driver(small_limits());
  driver.chunk(0, 3, pattern(10, 0));
  driver.chunk(2, 3, pattern(5, 2));
  for (int i = 1; i <= 3; ++i) {
    const Outcome outcome = driver.chunk(0, 3, pattern(10, 0));
    EXPECT_TRUE(outcome.compared);
    EXPECT_FALSE(outcome.failure);
    EXPECT_FALSE(outcome.stored);
    EXPECT_FALSE(outcome.asked);
  }
  EXPECT_EQ(driver.statistics().duplicates, 3U);
  EXPECT_EQ(driver.statistics().chunks, 2U);
  EXPECT_EQ(driver.statistics().bytes, 15U);
  EXPECT_EQ(driver.statistics().rejected, 0U);
  EXPECT_TRUE(driver.chunk(1, 3, pattern(10, 1)).stored);
  EXPECT_EQ(driver.state(), UploadState::kComplete);
}

TEST(ReceiverRules, DuplicateAtTheSizeLimitIsStillADuplicate) {
  ReceiverDriver driver(small_limits());
  driver.chunk(0, 4, pattern(40, 0));
  driver.chunk(1, 4, pattern(40, 1));
  driver.chunk(2, 4, pattern(20, 2));
  EXPECT_TRUE(driver.chunk(1, 4, pattern(40, 1)).compared);
  EXPECT_EQ(driver.statistics().duplicates, 1U);
  EXPECT_EQ(driver.state(), UploadState::kUploading);
}

TEST(ReceiverRules, ConflictInEveryByte) {
  for (std::size_t at = 0; at < 10; ++at) {
    ReceiverDriver driver(small_limits());
    driver.chunk(0, 3, pattern(10, 0));
    driver.chunk(1, 3, pattern(10, 1));
    Bytes other = pattern(10, 1);
    other[at] ^= 1;
    const Outcome outcome = driver.chunk(1, 3, other);
    expect_failed(driver, outcome, ErrorCode::kConflictingChunk);
    EXPECT_THAT(outcome.failure->message, HasSubstr("chunk 1"));
    EXPECT_EQ(driver.statistics().duplicates, 0U);
  }
}

TEST(ReceiverRules, ConflictInLength) {
  for (const std::size_t size : {9U, 11U}) {
    ReceiverDriver driver(small_limits());
    driver.chunk(1, 3, pattern(10, 1));
    // The bytes agree as far as both go.
    Bytes other = pattern(10, 1);
    other.resize(size);
    const Outcome outcome = driver.chunk(1, 3, other);
    expect_failed(driver, outcome, ErrorCode::kConflictingChunk);
    EXPECT_FALSE(outcome.compared) << "a look at the lengths is enough";
    EXPECT_THAT(outcome.failure->message,
                AllOf(HasSubstr("chunk 1"), HasSubstr(std::to_string(size)), HasSubstr("10")));
  }
}

TEST(ReceiverRules, FirstBrokenRuleInTheDocumentedOrderWins) {
  struct Case {
    const char* what;
    std::uint32_t index, total;
    std::size_t size;
    ErrorCode expected;
  };
  // Stored before each: chunks 0 (40 bytes) and 1 (40 bytes) of 5; 100 bytes are the limit.
  const Case cases[] = {
      {"no payload, no chunks, bad index", 9, 0, 0, ErrorCode::kMalformedMessage},
      {"no chunks, bad index, too large", 9, 0, 41, ErrorCode::kTooManyChunks},
      {"too many, changed, bad index, too large", 11, 11, 41, ErrorCode::kTooManyChunks},
      {"changed, bad index, too large", 4, 4, 41, ErrorCode::kTotalChanged},
      {"bad index, too large", 5, 5, 41, ErrorCode::kBadIndex},
      {"chunk too large, conflict", 1, 5, 41, ErrorCode::kChunkTooLarge},
      {"chunk too large, file too large", 2, 5, 41, ErrorCode::kChunkTooLarge},
      {"conflict, file too large", 1, 5, 39, ErrorCode::kConflictingChunk},
      {"file too large", 2, 5, 40, ErrorCode::kTooLarge},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    ReceiverDriver driver(small_limits());
    ASSERT_TRUE(driver.chunk(0, 5, pattern(40, 0)).stored);
    ASSERT_TRUE(driver.chunk(1, 5, pattern(40, 1)).stored);
    expect_failed(driver, driver.chunk(c.index, c.total, pattern(c.size, 99)), c.expected);
  }
}

TEST(ReceiverRules, KeepaliveComesBackUnchangedInEveryState) {
  const Bytes one = {0x70};
  ReceiverDriver driver(small_limits());
  std::uint64_t count = 0;
  const auto ping = [&] {
    for (const Message& message : {binary(one), text_message(one), binary({}), text_message({})}) {
      const Action answer = driver.receiver().receive(message, {});
      ASSERT_TRUE(std::holds_alternative<action::Reply>(answer));
      const Message& back = std::get<action::Reply>(answer).message;
      EXPECT_EQ(back.kind, message.kind);
      EXPECT_EQ(back.bytes.data(), message.bytes.data());
      EXPECT_EQ(back.bytes.size(), message.bytes.size());
      EXPECT_EQ(driver.statistics().keepalives, ++count);
    }
  };
  ping();
  EXPECT_EQ(driver.state(), UploadState::kIdle);
  driver.chunk(0, 2, pattern(1));
  ping();
  EXPECT_EQ(driver.state(), UploadState::kUploading);
  driver.chunk(1, 2, pattern(1));
  ping();
  EXPECT_EQ(driver.state(), UploadState::kComplete);
  EXPECT_TRUE(driver.receiver().begin_processing());
  ping();
  driver.receiver().finish_processing();
  ping();
  EXPECT_EQ(driver.state(), UploadState::kDone);
  EXPECT_EQ(driver.statistics().ignored, 0U);
  EXPECT_EQ(driver.statistics().rejected, 0U);

  ReceiverDriver failed(small_limits());
  failed.fail(ErrorCode::kCancelled);
  EXPECT_TRUE(failed.deliver(binary(one)).replied);
}

TEST(ReceiverRules, StoresAppendInOrderOfArrivalAndReserveBefore) {
  Receiver receiver(small_limits(), std::make_unique<V1Parser>());
  const Bytes first = v1_chunk(2, 3, pattern(7, 2));
  Action answer = receiver.receive(binary(first), {});
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(answer));
  const UploadRequest request = std::get<action::Authorize>(answer).request;
  EXPECT_EQ(request.total_chunks, 3U);
  EXPECT_EQ(request.first_chunk_size, 7U);
  EXPECT_EQ(request.estimated_size, 21U);
  EXPECT_EQ(receiver.state(), UploadState::kIdle);
  EXPECT_EQ(receiver.statistics().chunks_announced, 0U);

  answer = receiver.authorized(true);
  ASSERT_TRUE(std::holds_alternative<action::Store>(answer));
  EXPECT_EQ(std::get<action::Store>(answer).position, 0U);
  EXPECT_EQ(std::get<action::Store>(answer).bytes.size(), 7U);
  EXPECT_EQ(std::get<action::Store>(answer).bytes.data(), first.data() + 8);
  EXPECT_EQ(std::get<action::Store>(answer).reserve, 21U);
  EXPECT_EQ(std::get<action::Store>(answer).expected, 21U);
  EXPECT_EQ(receiver.state(), UploadState::kUploading);
  EXPECT_EQ(receiver.statistics().bytes, 0U) << "nothing counts before it is stored";
  receiver.stored({});
  EXPECT_EQ(receiver.statistics().bytes, 7U);

  const Bytes second = v1_chunk(0, 3, pattern(9, 0));
  answer = receiver.receive(binary(second), {});
  ASSERT_TRUE(std::holds_alternative<action::Store>(answer));
  EXPECT_EQ(std::get<action::Store>(answer).position, 7U);
  EXPECT_EQ(std::get<action::Store>(answer).reserve, 0U);
  EXPECT_EQ(std::get<action::Store>(answer).expected, 0U);
  receiver.stored({});
  const auto extent = receiver.chunks().find(0);
  EXPECT_EQ(extent, (Extent{7, 9}));
}

TEST(ReceiverRules, ReservesNoMoreThanTheSizeLimit) {
  ReceiverDriver exact({.max_size = 100, .max_chunks = 10});
  exact.chunk(0, 10, pattern(10));
  EXPECT_EQ(exact.memory().reserved, 100U);
  ReceiverDriver capped({.max_size = 99, .max_chunks = 10});
  capped.chunk(0, 10, pattern(10));
  EXPECT_EQ(capped.memory().reserved, 99U);
}

TEST(ReceiverRules, NotAuthorized) {
  ReceiverDriver driver(small_limits());
  int asked = 0;
  driver.authorize = [&asked](const UploadRequest&) {
    ++asked;
    return false;
  };
  const Outcome outcome = driver.chunk(0, 3, pattern(5));
  expect_failed(driver, outcome, ErrorCode::kUnauthorized);
  EXPECT_TRUE(driver.chunk(1, 3, pattern(5)).nothing());
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(driver.memory().reserved) << "denied before anything is allocated";
  EXPECT_THAT(driver.memory().bytes, IsEmpty());
  EXPECT_EQ(driver.statistics().chunks, 0U);
  EXPECT_EQ(driver.statistics().ignored, 1U);
}

TEST(ReceiverRules, AuthorizationIsAskedForOnce) {
  ReceiverDriver driver(small_limits());
  int asked = 0;
  driver.authorize = [&asked](const UploadRequest&) { return ++asked > 0; };
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(driver.chunk(i, 4, pattern(5, i)).asked, i == 0);
  }
  driver.chunk(0, 4, pattern(5, 0));
  EXPECT_EQ(asked, 1);
}

TEST(ReceiverRules, OverQuotaBeforeTheFirstByte) {
  Receiver receiver(small_limits(), std::make_unique<V1Parser>());
  const Bytes message = v1_chunk(0, 3, pattern(5));
  ASSERT_TRUE(std::holds_alternative<action::Authorize>(receiver.receive(binary(message), {})));
  const Action answer = receiver.fail({ErrorCode::kQuotaExceeded, "no credits left"});
  ASSERT_TRUE(std::holds_alternative<action::Fail>(answer));
  EXPECT_EQ(std::get<action::Fail>(answer).error.code, ErrorCode::kQuotaExceeded);
  // The answer to the question that is out comes too late.
  EXPECT_TRUE(std::holds_alternative<action::Nothing>(receiver.authorized(true)));
  EXPECT_EQ(receiver.state(), UploadState::kError);
}

TEST(ReceiverRules, StorageFailures) {
  const Error full{ErrorCode::kStorageFailed, "cannot write 5 bytes: No space left on device"};
  {
    ReceiverDriver driver(small_limits());
    driver.memory().reserve_failure = full;
    const Outcome outcome = driver.chunk(0, 3, pattern(5));
    expect_failed(driver, outcome, ErrorCode::kStorageFailed);
    EXPECT_EQ(outcome.failure, full) << "the system's reason is passed on";
  }
  ReceiverDriver driver(small_limits());
  driver.chunk(0, 3, pattern(5, 0));
  driver.memory().write_failure = full;
  expect_failed(driver, driver.chunk(1, 3, pattern(5, 1)), ErrorCode::kStorageFailed);
  EXPECT_EQ(driver.statistics().bytes, 5U);
  EXPECT_EQ(driver.statistics().chunks, 1U);
  EXPECT_EQ(driver.receiver().chunks().find(1), std::nullopt);
}

TEST(ReceiverRules, FileIsTheConcatenationByIndex) {
  ReceiverDriver driver(small_limits());
  for (const std::uint32_t index : {3U, 0U, 4U, 1U, 2U}) {
    EXPECT_EQ(driver.state() == UploadState::kComplete, false);
    driver.chunk(index, 5, pattern(1 + index, index));
  }
  EXPECT_EQ(driver.state(), UploadState::kComplete);
  Bytes expected;
  for (std::uint32_t index = 0; index < 5; ++index) {
    const Bytes part = pattern(1 + index, index);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(driver.file(), expected);
}

TEST(ReceiverRules, OneChunkOfOneByteIsAFile) {
  ReceiverDriver driver(small_limits());
  const Outcome outcome = driver.chunk(0, 1, Bytes{0x42});
  EXPECT_TRUE(outcome.asked);
  EXPECT_TRUE(outcome.stored);
  EXPECT_EQ(driver.state(), UploadState::kComplete);
  EXPECT_THAT(driver.file(), ElementsAre(0x42));
}

}  // namespace
}  // namespace webrtcupload::testing
