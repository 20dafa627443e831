// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a peer may send in wire format v2, over one channel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "v2_receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr ChannelId kChannel = 7;

// An upload of `file` that has begun, and whose client has said all there is to say.
class Begun {
 public:
  explicit Begun(std::size_t size, const Limits& limits = {})
      : file(pattern(size, 5)), driver(limits) {
    driver.hello(kChannel, {.size = size, .sha256 = sum_of(file)});
  }
  V2Outcome piece(std::uint64_t begin, std::uint64_t end) {
    return driver.piece(kChannel, file, begin, end);
  }
  Bytes file;
  V2Driver driver;
};

TEST(V2ReceiverRules, HelloIsAskedAboutAndAnsweredWithWhatThePeerMayDo) {
  V2Driver driver({.max_size = 5000,
                   .max_chunk_size = 100,
                   .window = 400,
                   .resume_timeout = 90s,
                   .max_connections = 3});
  const Sha256Sum sum = sum_of({});
  const V2Outcome outcome = driver.hello(
      kChannel, {.size = 1000, .name = "a.mp4", .content_type = "video/mp4", .sha256 = sum});
  ASSERT_TRUE(outcome.asked);
  EXPECT_EQ(outcome.asked->size, 1000U);
  EXPECT_EQ(outcome.asked->estimated_size, 1000U);
  EXPECT_EQ(outcome.asked->name, "a.mp4");
  EXPECT_EQ(outcome.asked->content_type, "video/mp4");
  EXPECT_EQ(outcome.asked->sha256, sum);
  ASSERT_THAT(outcome.outputs, SizeIs(1));
  ASSERT_TRUE(outcome.sent<control::Ready>(kChannel));
  EXPECT_EQ(*outcome.sent<control::Ready>(kChannel), (control::Ready{.upload = V2Driver::test_id(),
                                                                     .have = {},
                                                                     .credit = 400,
                                                                     .max_payload = 100,
                                                                     .max_size = 5000,
                                                                     .max_connections = 3,
                                                                     .resume_timeout = 90}));
  EXPECT_EQ(driver.receiver().state(), UploadState::kUploading);
  EXPECT_EQ(driver.receiver().expected_size(), 1000U);
}

TEST(V2ReceiverRules, NothingIsToldToWhoIsNotAuthorized) {
  V2Driver driver;
  driver.authorize = [](const UploadRequest&) { return false; };
  const V2Outcome outcome = driver.hello(kChannel, {.size = 5});
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kUnauthorized));
  EXPECT_TRUE(outcome.ended_with(kChannel, ErrorCode::kUnauthorized, false));
  EXPECT_FALSE(outcome.sent<control::Ready>(kChannel));
  EXPECT_EQ(driver.receiver().state(), UploadState::kError);
}

TEST(V2ReceiverRules, AFileInOrderIsHashedWithoutReadingItBack) {
  Begun upload(1000);
  std::uint64_t hashed = 0;
  for (std::uint64_t at = 0; at < 900; at += 100) {
    const V2Outcome outcome = upload.piece(at, at + 100);
    EXPECT_TRUE(outcome.stored);
    hashed += outcome.hashed;
    EXPECT_EQ(upload.driver.receiver().percent(), static_cast<int>((at + 100) / 10));
  }
  const V2Outcome last = upload.piece(900, 1000);
  EXPECT_EQ(hashed + last.hashed, 0U);
  ASSERT_TRUE(last.sent<control::Done>(kChannel));
  EXPECT_EQ(*last.sent<control::Done>(kChannel), (control::Done{1000, sum_of(upload.file)}));
  EXPECT_FALSE(last.closed(kChannel));
  EXPECT_EQ(upload.driver.receiver().state(), UploadState::kComplete);
  EXPECT_EQ(upload.driver.receiver().sha256(), sum_of(upload.file));
  EXPECT_EQ(upload.driver.receiver().percent(), 100);
  EXPECT_EQ(upload.driver.file(), upload.file);
}

TEST(V2ReceiverRules, WhatCameEarlyIsHashedOnceItsTurnHasCome) {
  Begun upload(300);
  EXPECT_EQ(upload.piece(200, 300).hashed, 0U);
  EXPECT_EQ(upload.piece(100, 150).hashed, 0U);
  // In order: the first 100 come in their turn, 50 are read back.
  EXPECT_EQ(upload.piece(0, 100).hashed, 50U);
  const V2Outcome last = upload.piece(140, 210);
  // Of the last block, 50 bytes are new and in order, and those of it that come next are too.
  EXPECT_EQ(last.hashed, 90U);
  ASSERT_TRUE(last.sent<control::Done>(kChannel));
  EXPECT_EQ(last.sent<control::Done>(kChannel)->sha256, sum_of(upload.file));
}

TEST(V2ReceiverRules, OneMessageDoesNotHashALotUnlessItIsTheLast) {
  constexpr std::uint64_t kBlock = 60000;
  constexpr std::uint64_t kBlocks = 40;
  Begun upload(kBlocks * kBlock);
  for (std::uint64_t i = kBlocks - 2; i > 0; --i) {
    EXPECT_EQ(upload.piece(i * kBlock, (i + 1) * kBlock).hashed, 0U);
  }
  EXPECT_EQ(upload.piece(0, kBlock).hashed, 16 * kHashStep);
  const V2Outcome last = upload.piece((kBlocks - 1) * kBlock, kBlocks * kBlock);
  EXPECT_EQ(last.hashed, (kBlocks - 1) * kBlock - 16 * kHashStep);
  EXPECT_TRUE(last.sent<control::Done>(kChannel));
}

TEST(V2ReceiverRules, TheSameBytesAgainAreIgnored) {
  Begun upload(300);
  upload.piece(0, 100);
  upload.piece(150, 200);
  const unsigned writes = upload.driver.storage().writes;
  EXPECT_EQ(upload.piece(0, 100).comparisons, 1);
  EXPECT_EQ(upload.piece(20, 30).comparisons, 1);
  EXPECT_EQ(upload.driver.storage().writes, writes);
  EXPECT_EQ(upload.driver.receiver().statistics().duplicates, 2U);
  EXPECT_EQ(upload.driver.receiver().statistics().bytes, 150U);
  // Old and new in one block: one write.
  const V2Outcome across = upload.piece(50, 250);
  EXPECT_EQ(across.comparisons, 2);
  EXPECT_TRUE(across.stored);
  EXPECT_EQ(upload.driver.storage().writes, writes + 1);
  EXPECT_EQ(upload.driver.receiver().statistics().bytes, 250U);
  EXPECT_EQ(upload.driver.receiver().statistics().duplicates, 2U);
}

TEST(V2ReceiverRules, OtherBytesForWhatIsStoredAreAConflictAndNothingOfThemIsStored) {
  for (const std::uint64_t wrong : {50U, 99U, 150U, 199U}) {
    Begun upload(300);
    upload.piece(0, 100);
    upload.piece(150, 200);
    Bytes block(upload.file.begin() + 50, upload.file.begin() + 250);
    block[wrong - 50] ^= 1;
    const V2Outcome outcome = upload.driver.block(kChannel, 50, block);
    EXPECT_TRUE(outcome.failed_with(ErrorCode::kConflictingChunk)) << wrong;
    EXPECT_TRUE(outcome.ended_with(kChannel, ErrorCode::kConflictingChunk, false));
    EXPECT_EQ(upload.driver.storage().stored(), 150U);
    EXPECT_EQ(upload.driver.receiver().statistics().rejected, 1U);
  }
}

TEST(V2ReceiverRules, EmptyFilesArrive) {
  V2Driver driver;
  const V2Outcome outcome = driver.hello(kChannel, {.size = 0, .sha256 = sum_of({})});
  EXPECT_TRUE(outcome.sent<control::Ready>(kChannel));
  ASSERT_TRUE(outcome.sent<control::Done>(kChannel));
  EXPECT_EQ(*outcome.sent<control::Done>(kChannel), (control::Done{0, sum_of({})}));
  EXPECT_TRUE(driver.receiver().complete());
  EXPECT_EQ(driver.receiver().percent(), 100);
}

TEST(V2ReceiverRules, WithoutAHashTheUploadWaitsForTheEnd) {
  const Bytes file = pattern(100);
  V2Driver driver;
  driver.hello(kChannel, {.size = 100});
  EXPECT_FALSE(driver.piece(kChannel, file, 0, 100).sent<control::Done>(kChannel));
  EXPECT_EQ(driver.receiver().state(), UploadState::kUploading);
  EXPECT_EQ(driver.receiver().percent(), 99);
  const V2Outcome end = driver.say(kChannel, control::End{.size = 100});
  ASSERT_TRUE(end.sent<control::Done>(kChannel));
  EXPECT_EQ(end.sent<control::Done>(kChannel)->sha256, sum_of(file));
}

TEST(V2ReceiverRules, TheEndMayComeBeforeTheLastBytes) {
  const Bytes file = pattern(100);
  V2Driver driver;
  driver.hello(kChannel);
  EXPECT_EQ(driver.receiver().expected_size(), std::nullopt);
  driver.piece(kChannel, file, 0, 50);
  EXPECT_EQ(driver.receiver().percent(), 0);
  driver.say(kChannel, control::End{.size = 100, .sha256 = sum_of(file)});
  EXPECT_EQ(driver.receiver().percent(), 50);
  EXPECT_TRUE(driver.piece(kChannel, file, 50, 100).sent<control::Done>(kChannel));
}

TEST(V2ReceiverRules, AnotherHashThanTheClientsFailsTheUpload) {
  Bytes file = pattern(100);
  for (const bool in_hello : {true, false}) {
    V2Driver driver;
    const Sha256Sum other = sum_of(pattern(99));
    V2Outcome outcome;
    if (in_hello) {
      driver.hello(kChannel, {.size = 100, .sha256 = other});
      outcome = driver.piece(kChannel, file, 0, 100);
    } else {
      driver.hello(kChannel);
      driver.piece(kChannel, file, 0, 100);
      outcome = driver.say(kChannel, control::End{.size = 100, .sha256 = other});
    }
    ASSERT_TRUE(outcome.failed_with(ErrorCode::kHashMismatch));
    EXPECT_THAT(outcome.failure->message, HasSubstr(to_hex(sum_of(file))));
    EXPECT_THAT(outcome.failure->message, HasSubstr(to_hex(other)));
    EXPECT_TRUE(outcome.ended_with(kChannel, ErrorCode::kHashMismatch, false));
    EXPECT_FALSE(outcome.sent<control::Done>(kChannel));
    EXPECT_FALSE(driver.receiver().begin_processing());
  }
}

TEST(V2ReceiverRules, EndsThatContradictFailTheUpload) {
  const Bytes file = pattern(100);
  const Sha256Sum sum = sum_of(file);
  struct Case {
    control::Hello hello;
    control::End end;
    ErrorCode code;
  };
  const Case cases[] = {
      {{.size = 100}, {.size = 99}, ErrorCode::kSizeMismatch},
      {{.size = 100}, {.size = 101}, ErrorCode::kSizeMismatch},
      {{.size = 100, .sha256 = sum}, {.size = 100, .sha256 = sum_of({})}, ErrorCode::kHashMismatch},
      {{}, {.size = 49}, ErrorCode::kSizeMismatch},
      {{}, {.size = 1001}, ErrorCode::kTooLarge},
  };
  for (const Case& each : cases) {
    V2Driver driver({.max_size = 1000});
    driver.hello(kChannel, each.hello);
    driver.piece(kChannel, file, 0, 50);
    const V2Outcome outcome = driver.say(kChannel, each.end);
    EXPECT_TRUE(outcome.ended_with(kChannel, each.code, false)) << to_string(each.code);
    EXPECT_TRUE(outcome.failed_with(each.code)) << to_string(each.code);
  }
}

TEST(V2ReceiverRules, ASecondEndMayRepeatTheFirstButNotContradictIt) {
  const Sha256Sum sum = sum_of(pattern(100));
  V2Driver driver;
  driver.hello(kChannel);
  driver.say(kChannel, control::End{.size = 100, .sha256 = sum});
  EXPECT_THAT(driver.say(kChannel, control::End{.size = 100, .sha256 = sum}).outputs, IsEmpty());
  EXPECT_TRUE(driver.say(kChannel, control::End{.size = 101, .sha256 = sum})
                  .failed_with(ErrorCode::kSizeMismatch));
}

TEST(V2ReceiverRules, BytesBeyondTheFileAreAnError) {
  struct Case {
    std::uint64_t offset;
    ErrorCode code;
  };
  for (const Case& each : {Case{91, ErrorCode::kSizeMismatch},
                           {100, ErrorCode::kSizeMismatch},
                           {990, ErrorCode::kSizeMismatch},
                           {991, ErrorCode::kTooLarge},
                           {1000, ErrorCode::kTooLarge},
                           {UINT64_MAX - 9, ErrorCode::kTooLarge},
                           {UINT64_MAX, ErrorCode::kTooLarge}}) {
    Begun upload(100, {.max_size = 1000});
    const V2Outcome outcome = upload.driver.block(kChannel, each.offset, pattern(10));
    EXPECT_TRUE(outcome.failed_with(each.code)) << each.offset;
    EXPECT_TRUE(outcome.ended_with(kChannel, each.code, false));
    EXPECT_FALSE(outcome.stored);
  }
  Begun upload(100, {.max_size = 1000});
  EXPECT_TRUE(upload.piece(90, 100).stored);
}

TEST(V2ReceiverRules, AFileThatIsAnnouncedTooLargeIsNotAskedAbout) {
  V2Driver driver({.max_size = 1000});
  const V2Outcome outcome = driver.hello(kChannel, {.size = 1001});
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooLarge));
  EXPECT_FALSE(outcome.asked);
  V2Driver exact({.max_size = 1000});
  EXPECT_TRUE(exact.hello(kChannel, {.size = 1000}).asked);
}

TEST(V2ReceiverRules, BlocksHaveTheirLimit) {
  Begun upload(1000, {.max_chunk_size = 100});
  EXPECT_TRUE(upload.piece(0, 100).stored);
  const V2Outcome outcome = upload.piece(100, 201);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kChunkTooLarge));
  EXPECT_THAT(outcome.failure->message, HasSubstr("101 bytes, at most 100"));
}

TEST(V2ReceiverRules, APieceOfATooLongMessageIsKnownAsOne) {
  Begun upload(200'000);
  const V2Outcome outcome = upload.driver.deliver(kChannel, binary(Bytes(kMaxMessageSize + 1, 1)));
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kChunkTooLarge));
  EXPECT_THAT(outcome.failure->message, HasSubstr("65520 bytes"));
  Begun other(200'000);
  EXPECT_TRUE(other.piece(0, kMaxBlockPayload).stored);
}

TEST(V2ReceiverRules, MoreThan4096HolesAreTooMany) {
  Begun upload(20'000);
  for (std::uint64_t i = 0; i < kMaxHoles; ++i) {
    ASSERT_TRUE(upload.piece(2 * i + 1, 2 * i + 2).stored);
  }
  EXPECT_EQ(upload.driver.receiver().ranges().holes(), kMaxHoles);
  // What makes none more is still good.
  EXPECT_TRUE(upload.piece(2 * kMaxHoles, 2 * kMaxHoles + 1).stored);
  EXPECT_TRUE(upload.piece(0, 1).stored);
  EXPECT_EQ(upload.driver.receiver().ranges().holes(), kMaxHoles - 1);
  EXPECT_TRUE(upload.piece(19'000, 19'001).stored);
  const V2Outcome outcome = upload.piece(19'002, 19'003);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kTooFragmented));
  EXPECT_FALSE(outcome.stored);
}

TEST(V2ReceiverRules, ABlockOverManyHolesIsWrittenOnce) {
  Begun upload(20'000);
  for (std::uint64_t i = 0; i < kMaxHoles; ++i) upload.piece(2 * i + 1, 2 * i + 2);
  const unsigned writes = upload.driver.storage().writes;
  EXPECT_EQ(upload.piece(0, 20'000).comparisons, static_cast<int>(kMaxHoles));
  EXPECT_EQ(upload.driver.storage().writes, writes + 1);
  EXPECT_TRUE(upload.driver.receiver().complete());
}

TEST(V2ReceiverRules, TenThousandTinyRangesMakeAFile) {
  Begun upload(10'000);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    // Never more than a few hundred gaps.
    const std::uint64_t at = i / 500 * 500 + i * 7 % 500;
    ASSERT_TRUE(upload.piece(at, at + 1).stored) << i;
  }
  EXPECT_TRUE(upload.driver.receiver().complete());
  EXPECT_EQ(upload.driver.file(), upload.file);
}

TEST(V2ReceiverRules, MessagesThatMakeNoSenseFailTheUpload) {
  for (const Bytes& wrong : {Bytes(5, 1), Bytes(16, 0), Bytes(20, 2)}) {
    Begun upload(100);
    const V2Outcome outcome = upload.driver.deliver(kChannel, binary(wrong));
    EXPECT_TRUE(outcome.failed_with(ErrorCode::kMalformedMessage));
    EXPECT_TRUE(outcome.ended_with(kChannel, ErrorCode::kMalformedMessage, false));
  }
  Begun upload(100);
  EXPECT_TRUE(upload.driver.control(kChannel, Error{ErrorCode::kMalformedMessage, "odd"})
                  .failed_with(ErrorCode::kMalformedMessage));
}

TEST(V2ReceiverRules, ControlMessagesThatAreNotKnownAreIgnored) {
  Begun upload(100);
  EXPECT_THAT(upload.driver.control(kChannel, std::optional<ControlMessage>()).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.say(kChannel, control::Ack{}).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.say(kChannel, control::Done{}).outputs, IsEmpty());
  EXPECT_TRUE(upload.piece(0, 100).sent<control::Done>(kChannel));
}

TEST(V2ReceiverRules, WithoutAHelloNothingIsTaken) {
  const auto unexpected = [](const auto& act) {
    V2Driver driver;
    driver.open(kChannel);
    const V2Outcome outcome = act(driver);
    EXPECT_TRUE(outcome.failed_with(ErrorCode::kUnexpectedMessage));
    EXPECT_TRUE(outcome.ended_with(kChannel, ErrorCode::kUnexpectedMessage, false));
  };
  unexpected([](V2Driver& driver) { return driver.block(kChannel, 0, pattern(5)); });
  unexpected([](V2Driver& driver) { return driver.say(kChannel, control::End{.size = 5}); });
}

TEST(V2ReceiverRules, ASecondHelloIsAnError) {
  Begun upload(100);
  EXPECT_TRUE(upload.driver.say(kChannel, control::Hello{.size = 100})
                  .failed_with(ErrorCode::kUnexpectedMessage));
}

TEST(V2ReceiverRules, KeepalivesComeBackAtAnyTime) {
  V2Driver driver;
  driver.open(kChannel);
  const Bytes one = {0x2a};
  EXPECT_TRUE(driver.deliver(kChannel, binary(one)).replied);
  driver.say(kChannel, control::Hello{.size = 0, .sha256 = sum_of({})});
  EXPECT_TRUE(driver.deliver(kChannel, text_message(Bytes{})).replied);
  EXPECT_EQ(driver.receiver().statistics().keepalives, 2U);
}

TEST(V2ReceiverRules, WhatComesAfterTheEndIsIgnored) {
  Begun upload(100);
  upload.piece(0, 100);
  ASSERT_TRUE(upload.driver.receiver().complete());
  EXPECT_THAT(upload.driver.deliver(kChannel, binary(Bytes(5, 1))).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.deliver(kChannel, text_message(Bytes(kMaxControlSize + 1))).outputs,
              IsEmpty());
  EXPECT_THAT(upload.driver.block(kChannel, 0, pattern(100, 77)).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.say(kChannel, control::Cancel{}).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.say(kChannel, control::Hello{}).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.control(kChannel, Error{ErrorCode::kMalformedMessage, "odd"}).outputs,
              IsEmpty());
  EXPECT_TRUE(upload.driver.receiver().complete());
  EXPECT_EQ(upload.driver.receiver().statistics().ignored, 6U);
}

TEST(V2ReceiverRules, RoomIsMadeForWhatHasComeAndAStepMore) {
  constexpr std::uint64_t kSize = 400ULL << 20;
  V2Driver driver;
  driver.hello(kChannel, {.size = kSize});
  // A byte at the file's end takes no room for what is before it.
  driver.block(kChannel, 1000, pattern(10));
  EXPECT_EQ(driver.storage().reserved, 10 + kReserveStep);
  EXPECT_EQ(driver.storage().expected, kSize);
  driver.block(kChannel, 5000, pattern(10));
  EXPECT_EQ(driver.storage().reservations, 1U);

  V2Driver small;
  small.hello(kChannel, {.size = 1000});
  small.block(kChannel, 0, pattern(10));
  EXPECT_EQ(small.storage().reserved, 1000U);

  // What lies between two gaps is written again, and takes no more room.
  V2Driver twice;
  twice.hello(kChannel, {.size = 1000});
  const Bytes file = pattern(1000);
  twice.piece(kChannel, file, 1, 999);
  twice.piece(kChannel, file, 0, 1000);
  EXPECT_EQ(twice.storage().reserved, 1000U);
}

TEST(V2ReceiverRules, StorageThatFailsIsToldWithoutItsPath) {
  Begun upload(100);
  upload.driver.storage().write_failure =
      Error{ErrorCode::kStorageFailed, "cannot write to \"/srv/secret\": no space"};
  const V2Outcome outcome = upload.piece(0, 100);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kStorageFailed));
  ASSERT_TRUE(outcome.sent<control::Failure>(kChannel));
  EXPECT_THAT(outcome.sent<control::Failure>(kChannel)->message,
              ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace webrtcupload::testing
