// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Time-outs of an upload in wire format v2, and when and what it acknowledges.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "v2_film_upload.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- time
// -------------------------------------------------------------------------------------------------

Limits hurried() {
  return {.upload_timeout = 0s, .idle_timeout = 10s, .min_rate = 0, .resume_timeout = 60s};
}

TEST(V2Time, TheIdleTimeOutBeginsAnewForWhoComesBack) {
  FilmUpload upload(hurried());
  upload.driver.now += 6s;
  upload.piece(kFirst, 0, 100);
  upload.driver.now += 6s;
  upload.driver.close(kFirst);
  upload.driver.now += 50s;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.join(kSecond);
  // 50 s of the 60 are used up, and 6 more by the idle time that is given back.
  upload.driver.now += 10s - 1ns;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.now += 1ns;
  const V2Outcome outcome = upload.driver.tick();
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kIdleTimeout));
  EXPECT_THAT(outcome.failure->message, HasSubstr("no new byte for 10 s: 100 of 1000 bytes"));
  EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kIdleTimeout, false));
}

TEST(V2Time, TheIdleTimeOutBeginsAnewWithTheUpload) {
  V2Driver driver(hurried());
  driver.open(kFirst);
  driver.now += 9s;
  driver.say(kFirst, hello_of_film());
  EXPECT_EQ(driver.receiver().deadline(), driver.now + 10s);
}

// Otherwise a place can be kept for ever by who sends nothing.
TEST(V2Time, InterruptionsWithoutANewByteCountTogether) {
  FilmUpload upload;
  upload.driver.close(kFirst);
  upload.driver.now += 40s;
  upload.driver.join(kSecond);
  upload.driver.close(kSecond);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 20s);
  upload.driver.now += 15s;
  upload.driver.join(kThird);
  upload.piece(kThird, 0, 1);
  upload.driver.close(kThird);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 60s);
  upload.driver.now += 30s;
  upload.driver.join(kFirst);
  upload.driver.close(kFirst);
  upload.driver.now += 30s;
  EXPECT_TRUE(upload.driver.tick().failed_with(ErrorCode::kPeerGone));
}

TEST(V2Time, NorIsAPlaceKeptByComingBackWhenItIsNearlyIdle) {
  FilmUpload upload(hurried());
  const TimePoint begin = upload.driver.now;
  for (ChannelId channel = 2; upload.state() != UploadState::kError; ++channel) {
    ASSERT_LT(channel, 100U);
    upload.driver.now += 9s;
    upload.driver.tick();
    upload.driver.close(channel - 1);
    upload.driver.join(channel);
  }
  EXPECT_LE(upload.driver.now - begin, 10s + 60s + 9s);
}

// A byte a minute gives back no minute.
TEST(V2Time, WhatIsInterruptedIsGivenBackAtTheLowestRate) {
  Limits limits = patient();
  limits.min_rate = 10;
  FilmUpload upload(limits);
  upload.driver.close(kFirst);
  upload.driver.now += 50s;
  upload.driver.join(kSecond);
  upload.piece(kSecond, 0, 1);
  upload.driver.close(kSecond);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 10s + 100ms);
  upload.driver.join(kThird);
  upload.piece(kThird, 1, 201);
  upload.driver.close(kThird);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 30s + 100ms);
}

TEST(V2Time, NorDoesTheLowestRate) {
  Limits limits = patient();
  limits.min_rate = 10;
  FilmUpload upload(limits);
  upload.piece(kFirst, 0, 600);
  upload.driver.now += 30s;
  upload.driver.close(kFirst);
  upload.driver.now += 59s;
  upload.driver.join(kSecond);
  upload.driver.now += 30s;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.now += 60s;
  EXPECT_TRUE(upload.driver.tick().failed_with(ErrorCode::kTooSlow));
}

TEST(V2Time, TheUploadTimeOutDoes) {
  Limits limits = patient();
  limits.upload_timeout = 40s;
  FilmUpload upload(limits);
  upload.driver.now += 30s;
  upload.driver.close(kFirst);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 10s);
  upload.driver.now += 10s;
  EXPECT_TRUE(upload.driver.tick().failed_with(ErrorCode::kUploadTimeout));
}

TEST(V2Time, AChannelThatSaysNothingIsClosedInTime) {
  FilmUpload upload(hurried());
  upload.driver.now += 5s;
  upload.driver.open(kSecond);
  upload.driver.now += 4s;
  upload.piece(kFirst, 0, 100);
  upload.driver.now += 6s - 1ns;
  EXPECT_FALSE(upload.driver.tick().closed(kSecond));
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 1ns);
  upload.driver.now += 1ns;
  EXPECT_TRUE(upload.driver.tick().ended_with(kSecond, ErrorCode::kIdleTimeout, false));
  EXPECT_EQ(upload.state(), UploadState::kUploading);
}

TEST(V2Time, AChannelThatSaysNothingIsClosedAfterTheEndToo) {
  FilmUpload upload(hurried());
  upload.piece(kFirst, 0, 1000);
  ASSERT_EQ(upload.state(), UploadState::kComplete);
  EXPECT_EQ(upload.driver.receiver().deadline(), std::nullopt);
  upload.driver.open(kSecond);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 10s);
  upload.driver.now += 10s;
  EXPECT_TRUE(upload.driver.tick().ended_with(kSecond, ErrorCode::kIdleTimeout, false));
  EXPECT_EQ(upload.state(), UploadState::kComplete);
}

// Other channels wait with their hello until they know what to join.
TEST(V2Time, WhatTheApplicationTakesToAnswerCountsForNoChannel) {
  V2Driver driver(hurried());
  driver.open(kFirst);
  driver.open(kSecond);
  driver.authorize = [&driver](const UploadRequest&) {
    driver.now += 40s;
    return true;
  };
  driver.say(kFirst, hello_of_film());
  EXPECT_EQ(driver.receiver().deadline(), driver.now + 10s);
  const V2Outcome outcome = driver.tick();
  EXPECT_FALSE(outcome.failure);
  EXPECT_FALSE(outcome.closed(kSecond));
}

TEST(V2Time, WithoutAHelloTheUploadIsIdle) {
  V2Driver driver(hurried());
  driver.open(kFirst);
  driver.now += 10s;
  EXPECT_TRUE(driver.tick().failed_with(ErrorCode::kIdleTimeout));
}

// --- acknowledgements
// -------------------------------------------------------------------------------------------------

TEST(V2Time, AFewBytesAreAcknowledgedSoon) {
  FilmUpload upload;
  EXPECT_THAT(upload.piece(kFirst, 0, 100).outputs, IsEmpty());
  const auto due = upload.driver.receiver().deadline();
  ASSERT_TRUE(due);
  EXPECT_LE(*due, upload.driver.now + 100ms);
  upload.driver.now = *due - 1ns;
  EXPECT_THAT(upload.driver.tick().outputs, IsEmpty());
  upload.piece(kFirst, 100, 150);
  upload.driver.now = *due;
  const V2Outcome outcome = upload.driver.tick();
  ASSERT_TRUE(outcome.sent<control::Ack>(kFirst));
  EXPECT_EQ(*outcome.sent<control::Ack>(kFirst),
            (control::Ack{.stored = 150, .received = 150, .credit = (8 << 20) + 150}));
  EXPECT_EQ(upload.driver.receiver().deadline(), std::nullopt);
  EXPECT_THAT(upload.driver.tick().outputs, IsEmpty());
}

TEST(V2Time, EveryQuarterOfTheWindowIsAcknowledgedAtOnce) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 50;
  FilmUpload upload(limits);
  for (std::uint64_t at = 0; at < 1000; at += 50) {
    const V2Outcome outcome = upload.piece(kFirst, at, at + 50);
    const auto* ack = outcome.sent<control::Ack>(kFirst);
    ASSERT_EQ(ack != nullptr, (at + 50) % 100 == 0) << at;
    if (ack) {
      EXPECT_EQ(*ack,
                (control::Ack{.stored = at + 50, .received = at + 50, .credit = at + 50 + 400}));
    }
  }
}

// It is no longer under way, and the client need not send it again.
TEST(V2Time, WhatComesTwiceIsAcknowledgedToo) {
  Limits limits = patient();
  limits.window = 400;
  FilmUpload upload(limits);
  upload.piece(kFirst, 0, 90);
  upload.driver.now += kAckDelay;
  EXPECT_TRUE(upload.driver.tick().sent<control::Ack>(kFirst));
  upload.piece(kFirst, 0, 90);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + kAckDelay);
  upload.driver.now += kAckDelay;
  const V2Outcome again = upload.driver.tick();
  ASSERT_TRUE(again.sent<control::Ack>(kFirst));
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->stored, 90U);
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->received, 180U);
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->credit, 180 + kMaxBlockPayload);
}

TEST(V2Time, BlocksOfOneByteAreNotAcknowledgedOneByOne) {
  Limits limits = patient();
  limits.window = 400;
  FilmUpload upload(limits);
  for (std::uint64_t at = 0; at < 100; ++at) {
    ASSERT_THAT(upload.piece(kFirst, at, at + 1).outputs, IsEmpty()) << at;
  }
}

TEST(V2Time, AWindowThatChangesIsToldOf) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 50;
  FilmUpload upload(limits);
  limits.window = 1000;
  upload.driver.receiver().resume(limits, upload.driver.now);
  upload.piece(kFirst, 0, 50);
  upload.driver.now += kAckDelay;
  const V2Outcome outcome = upload.driver.join(kSecond);
  EXPECT_EQ(outcome.sent<control::Ready>(kSecond)->credit, 500U);
}

TEST(V2Time, ChannelsShareTheWindow) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 10;
  FilmUpload upload(limits);
  EXPECT_EQ(upload.driver.join(kSecond).sent<control::Ready>(kSecond)->credit, 200U);
  // The first one has 400 from before; the second one's grows with what it sends.
  for (std::uint64_t at = 0; at < 40; at += 10) {
    EXPECT_THAT(upload.piece(kSecond, at, at + 10).outputs, IsEmpty()) << at;
  }
  const V2Outcome outcome = upload.piece(kSecond, 40, 50);
  ASSERT_TRUE(outcome.sent<control::Ack>(kSecond));
  EXPECT_EQ(outcome.sent<control::Ack>(kSecond)->credit, 250U);
  EXPECT_FALSE(outcome.sent<control::Ack>(kFirst));
  // When the second one goes, the first one gets the whole window again.
  upload.driver.close(kSecond);
  EXPECT_EQ(upload.piece(kFirst, 50, 60).outputs.size(), 0U);
  upload.driver.now += 1s;
  EXPECT_EQ(upload.driver.tick().sent<control::Ack>(kFirst)->credit, 410U);
}

TEST(V2Time, APeerThatPaysNoAttentionToItsCreditFails) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  FilmUpload upload(limits);
  EXPECT_FALSE(upload.waiting(kFirst, 800).failure);
  const V2Outcome outcome = upload.waiting(kFirst, 801);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kCreditExceeded));
  EXPECT_THAT(outcome.failure->message, HasSubstr("801 bytes"));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCreditExceeded, false));
}

TEST(V2Time, WhatWaitsIsBoundedForAllChannelsTogether) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  FilmUpload upload(limits);
  upload.driver.join(kSecond);
  EXPECT_FALSE(upload.waiting(kFirst, 500).failure);
  EXPECT_FALSE(upload.waiting(kSecond, 300).failure);
  // What is handed in waits no longer. Its header never counted.
  upload.piece(kFirst, 0, 100);
  EXPECT_FALSE(upload.waiting(kSecond, 400).failure);
  const V2Outcome outcome = upload.waiting(kSecond, 401);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kCreditExceeded));
  EXPECT_THAT(outcome.failure->message, HasSubstr("801 bytes"));
}

// As the credit counts: of blocks of one byte each, a peer that keeps to its credit may have as
// many under way as it has bytes.
TEST(V2Time, OfBlocksThatWaitThePayloadCounts) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 1;
  FilmUpload upload(limits);
  const std::uint64_t credit = upload.driver.join(kSecond).sent<control::Ready>(kSecond)->credit;
  std::uint64_t waiting = 0;
  for (std::uint64_t offset = 0; offset < credit; ++offset) {
    waiting += counted_bytes(binary(v2_block(offset, ByteView(film()).subspan(offset, 1))));
  }
  EXPECT_EQ(waiting, credit);
  EXPECT_FALSE(upload.waiting(kSecond, waiting).failure);
  // And of other messages all.
  const Bytes header(16, 1);
  EXPECT_EQ(counted_bytes(binary(header)), 16U);
  EXPECT_EQ(counted_bytes(text_message(Bytes(100, 'x'))), 100U);
}

TEST(V2Time, WhatIsHandedInIsTakenOffAsItWasCounted) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  FilmUpload upload(limits);
  upload.waiting(kFirst, 800);
  for (std::uint64_t at = 0; at < 100; ++at) upload.piece(kFirst, at, at + 1);
  upload.driver.join(kSecond);
  // 700 of the first channel are left.
  EXPECT_FALSE(upload.waiting(kSecond, 100).failure);
  EXPECT_TRUE(upload.waiting(kSecond, 101).failed_with(ErrorCode::kCreditExceeded));
}

TEST(V2Time, WhatALostChannelKeptWaitingIsForgotten) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  FilmUpload upload(limits);
  upload.driver.join(kSecond);
  upload.waiting(kFirst, 500);
  upload.driver.close(kFirst);
  EXPECT_FALSE(upload.waiting(kSecond, 800).failure);
}

// Where peers may come and go.
TEST(V2Time, WithAHelloTimeBeginsAndWhoLeavesBeforeIsNoFailure) {
  Limits limits = patient();
  limits.upload_timeout = 10s;
  limits.idle_timeout = 5s;
  V2Driver driver(limits, TimeBegins::kWithAChunk);
  driver.open(kFirst);
  driver.now += 100s;
  EXPECT_FALSE(driver.tick().failure);
  EXPECT_FALSE(driver.close(kFirst).failure);
  driver.hello(kSecond, hello_of_film());
  EXPECT_EQ(driver.receiver().state(), UploadState::kUploading);
  driver.now += 5s;
  EXPECT_TRUE(driver.tick().failed_with(ErrorCode::kIdleTimeout));
}

TEST(V2Time, AReceiverThatStopsDismissesAllChannels) {
  FilmUpload upload;
  upload.driver.open(kSecond);
  upload.driver.receiver().dismiss_channels({ErrorCode::kCancelled, "it stops"});
  const V2Outcome outcome = upload.driver.tick();
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCancelled, false));
  EXPECT_TRUE(outcome.closed(kSecond));
  EXPECT_FALSE(outcome.sent<control::Failure>(kSecond)) << "a stranger";
  EXPECT_EQ(upload.state(), UploadState::kUploading);
}

TEST(V2Time, AStrangerMayKeepOneControlMessageWaiting) {
  FilmUpload upload;
  upload.driver.open(kSecond);
  EXPECT_FALSE(upload.waiting(kSecond, kMaxControlSize).closed(kSecond));
  const V2Outcome outcome = upload.waiting(kSecond, kMaxControlSize + 1);
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kCreditExceeded, false));
  // Nobody is there any more.
  EXPECT_THAT(upload.waiting(kSecond, 10'000'000).outputs, IsEmpty());
}

TEST(V2Time, AfterTheEndWhoFloodsLosesItsChannel) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 1000;
  FilmUpload upload(limits);
  upload.piece(kFirst, 0, 1000);
  upload.driver.open(kSecond);
  // Of 3/2 of the window, and a block, a peer may have been told.
  EXPECT_THAT(upload.waiting(kFirst, 1600).outputs, IsEmpty());
  EXPECT_TRUE(upload.waiting(kFirst, 1601).ended_with(kFirst, ErrorCode::kCreditExceeded, false));
  EXPECT_TRUE(upload.waiting(kSecond, kMaxControlSize + 1)
                  .ended_with(kSecond, ErrorCode::kCreditExceeded, false));
  EXPECT_TRUE(upload.driver.receiver().complete());
}

}  // namespace
}  // namespace webrtcupload::testing
