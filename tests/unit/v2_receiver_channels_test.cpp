// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Channels of an upload in wire format v2: how they join, what they may send, and what becomes of
// the upload when they go.

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

constexpr ChannelId kFirst = 1;
constexpr ChannelId kSecond = 2;
constexpr ChannelId kThird = 3;

const Bytes& film() {
  static const Bytes file = pattern(1000, 5);
  return file;
}

control::Hello hello_of_film() { return {.size = film().size(), .sha256 = sum_of(film())}; }

Limits patient() {
  return {.upload_timeout = 0s, .idle_timeout = 0s, .min_rate = 0, .resume_timeout = 60s};
}

// An upload of the film that has begun over kFirst.
struct Begun {
  explicit Begun(const Limits& limits = patient()) : driver(limits) {
    driver.hello(kFirst, hello_of_film());
  }
  V2Outcome piece(ChannelId channel, std::uint64_t begin, std::uint64_t end) {
    return driver.piece(channel, film(), begin, end);
  }
  V2Outcome waiting(ChannelId channel, std::uint64_t bytes) {
    return driver.waiting(channel, bytes);
  }
  [[nodiscard]] UploadState state() const { return driver.receiver().state(); }
  V2Driver driver;
};

// --- joining
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, AChannelThatKnowsTheIdJoins) {
  Begun upload;
  upload.piece(kFirst, 0, 100);
  upload.piece(kFirst, 200, 300);
  const V2Outcome outcome = upload.driver.join(kSecond);
  EXPECT_FALSE(outcome.asked);
  const auto* ready = outcome.sent<control::Ready>(kSecond);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->upload, V2Driver::test_id());
  EXPECT_THAT(ready->have, ElementsAre(Range{0, 100}, Range{200, 300}));
  EXPECT_EQ(upload.driver.receiver().connections(), 2U);
  upload.piece(kSecond, 100, 200);
  upload.piece(kFirst, 300, 600);
  const V2Outcome last = upload.piece(kSecond, 600, 1000);
  for (const ChannelId channel : {kFirst, kSecond}) {
    ASSERT_TRUE(last.sent<control::Done>(channel));
    EXPECT_EQ(last.sent<control::Done>(channel)->sha256, sum_of(film()));
  }
  EXPECT_EQ(upload.driver.file(), film());
}

TEST(V2Channels, WhoDoesNotKnowTheIdDoesNotHarmTheUpload) {
  Begun upload;
  upload.piece(kFirst, 0, 100);
  const auto refused = [&](ErrorCode code, const V2Outcome& outcome) {
    EXPECT_FALSE(outcome.failure) << to_string(code);
    EXPECT_TRUE(outcome.ended_with(kSecond, code, false)) << to_string(code);
    EXPECT_THAT(outcome.outputs, SizeIs(2));
    EXPECT_EQ(upload.state(), UploadState::kUploading);
  };
  refused(ErrorCode::kUnknownUpload,
          upload.driver.hello(kSecond, {.upload = V2Driver::other_id()}));
  refused(ErrorCode::kUnexpectedMessage, upload.driver.hello(kSecond, hello_of_film()));
  upload.driver.open(kSecond);
  refused(ErrorCode::kUnexpectedMessage, upload.piece(kSecond, 100, 200));
  upload.driver.open(kSecond);
  refused(ErrorCode::kUnexpectedMessage,
          upload.driver.say(kSecond, control::End{.size = film().size()}));
  upload.driver.open(kSecond);
  refused(ErrorCode::kUnexpectedMessage, upload.driver.say(kSecond, control::Cancel{}));
  upload.driver.open(kSecond);
  refused(ErrorCode::kMalformedMessage, upload.driver.deliver(kSecond, binary(Bytes(5, 1))));
  upload.driver.open(kSecond);
  refused(ErrorCode::kChunkTooLarge,
          upload.driver.deliver(kSecond, binary(Bytes(kMaxMessageSize + 1, 1))));
  EXPECT_TRUE(upload.piece(kFirst, 100, 1000).sent<control::Done>(kFirst));
}

TEST(V2Channels, WhatComesOverAChannelThatWasClosedIsIgnored) {
  Begun upload;
  upload.driver.hello(kSecond, {.upload = V2Driver::other_id()});
  EXPECT_THAT(upload.piece(kSecond, 0, 100).outputs, IsEmpty());
  EXPECT_THAT(upload.driver.close(kSecond).outputs, IsEmpty());
  EXPECT_EQ(upload.driver.receiver().statistics().ignored, 1U);
  EXPECT_EQ(upload.driver.storage().stored(), 0U);
}

TEST(V2Channels, AnIdBeforeThereIsAnUploadIsUnknown) {
  V2Driver driver(patient());
  const V2Outcome outcome = driver.join(kFirst);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kUnknownUpload));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kUnknownUpload, false));
}

TEST(V2Channels, WhoJoinsMayNotSayOtherwise) {
  Begun upload;
  EXPECT_TRUE(upload.driver.hello(kSecond, {.size = 999, .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kSizeMismatch, false));
  EXPECT_TRUE(upload.driver.hello(kSecond, {.sha256 = sum_of({}), .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kHashMismatch, false));
  control::Hello same = hello_of_film();
  same.upload = V2Driver::test_id();
  EXPECT_TRUE(upload.driver.hello(kSecond, same).sent<control::Ready>(kSecond));
  EXPECT_EQ(upload.state(), UploadState::kUploading);
}

TEST(V2Channels, ThereAreAtMostSoMany) {
  Limits limits = patient();
  limits.max_connections = 2;
  Begun upload(limits);
  EXPECT_TRUE(upload.driver.join(kSecond).sent<control::Ready>(kSecond));
  EXPECT_TRUE(upload.driver.join(kThird).ended_with(kThird, ErrorCode::kTooManyChannels, false));
  upload.driver.close(kFirst);
  EXPECT_TRUE(upload.driver.join(kThird).sent<control::Ready>(kThird));
}

TEST(V2Channels, WhoComesBackAfterTheEndIsToldOfIt) {
  Begun upload;
  upload.piece(kFirst, 0, 1000);
  upload.driver.close(kFirst);
  const V2Outcome outcome = upload.driver.join(kSecond);
  ASSERT_TRUE(outcome.sent<control::Ready>(kSecond));
  EXPECT_THAT(outcome.sent<control::Ready>(kSecond)->have, ElementsAre(Range{0, 1000}));
  ASSERT_TRUE(outcome.sent<control::Done>(kSecond));
  EXPECT_EQ(outcome.sent<control::Done>(kSecond)->sha256, sum_of(film()));
  EXPECT_TRUE(upload.driver.hello(kThird, {.upload = V2Driver::other_id()})
                  .ended_with(kThird, ErrorCode::kUnknownUpload, false));
  EXPECT_TRUE(upload.driver.receiver().complete());
}

TEST(V2Channels, WhoComesBackAfterAFailureIsToldOfIt) {
  Begun upload;
  upload.driver.fail(ErrorCode::kQuotaExceeded);
  EXPECT_TRUE(upload.driver.join(kSecond).ended_with(kSecond, ErrorCode::kQuotaExceeded, false));
  EXPECT_TRUE(upload.driver.hello(kThird, {.upload = V2Driver::other_id()})
                  .ended_with(kThird, ErrorCode::kUnknownUpload, false));
  EXPECT_EQ(upload.state(), UploadState::kError);
}

// --- losing and resuming
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, TheLastChannelsEndInterruptsAndAnotherOneResumes) {
  Begun upload;
  upload.piece(kFirst, 0, 300);
  upload.piece(kFirst, 500, 600);
  EXPECT_FALSE(upload.driver.close(kFirst).failure);
  EXPECT_TRUE(upload.driver.receiver().interrupted());
  EXPECT_EQ(upload.state(), UploadState::kUploading);
  upload.driver.now += 59s;
  EXPECT_FALSE(upload.driver.tick().failure);
  const V2Outcome outcome = upload.driver.join(kSecond);
  ASSERT_TRUE(outcome.sent<control::Ready>(kSecond));
  EXPECT_THAT(outcome.sent<control::Ready>(kSecond)->have,
              ElementsAre(Range{0, 300}, Range{500, 600}));
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  upload.piece(kSecond, 300, 500);
  EXPECT_TRUE(upload.piece(kSecond, 600, 1000).sent<control::Done>(kSecond));
  EXPECT_EQ(upload.driver.file(), film());
}

TEST(V2Channels, NobodyComesBackInTime) {
  Begun upload;
  upload.piece(kFirst, 0, 300);
  upload.driver.close(kFirst);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 60s);
  upload.driver.now += 60s - 1ns;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.now += 1ns;
  const V2Outcome outcome = upload.driver.tick();
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kPeerGone));
  EXPECT_THAT(outcome.failure->message, HasSubstr("60 s: 300 of 1000 bytes"));
  EXPECT_TRUE(upload.driver.join(kSecond).ended_with(kSecond, ErrorCode::kPeerGone, false));
}

TEST(V2Channels, WithoutResumingTheEndOfTheLastChannelIsAFailure) {
  Limits limits = patient();
  limits.resume_timeout = 0s;
  Begun upload(limits);
  upload.driver.join(kSecond);
  EXPECT_FALSE(upload.driver.close(kFirst).failure);
  const V2Outcome outcome = upload.driver.close(kSecond);
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kPeerGone));
  EXPECT_THAT(outcome.failure->message, HasSubstr("the data channel was closed: 0 of 1000 bytes"));
}

TEST(V2Channels, WhoWasNotToldTheIdBeginsAgain) {
  Begun upload;
  upload.driver.close(kFirst);
  // Not with another hello.
  EXPECT_TRUE(upload.driver.hello(kSecond, {.size = film().size()})
                  .ended_with(kSecond, ErrorCode::kUnexpectedMessage, false));
  EXPECT_TRUE(upload.driver.receiver().interrupted());
  const V2Outcome outcome = upload.driver.hello(kSecond, hello_of_film());
  EXPECT_FALSE(outcome.asked);
  ASSERT_TRUE(outcome.sent<control::Ready>(kSecond));
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  // Not as long as somebody is there, nor when something has come.
  EXPECT_TRUE(upload.driver.hello(kThird, hello_of_film())
                  .ended_with(kThird, ErrorCode::kUnexpectedMessage, false));
  upload.piece(kSecond, 0, 1);
  upload.driver.close(kSecond);
  EXPECT_TRUE(upload.driver.hello(kThird, hello_of_film())
                  .ended_with(kThird, ErrorCode::kUnexpectedMessage, false));
}

TEST(V2Channels, OnlyTheLastChannelThatHasJoinedInterrupts) {
  Begun upload;
  upload.driver.join(kSecond);
  upload.driver.open(kThird);
  upload.driver.close(kFirst);
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  // The third one has not joined.
  upload.driver.close(kSecond);
  EXPECT_TRUE(upload.driver.receiver().interrupted());
  upload.driver.close(kThird);
  EXPECT_TRUE(upload.driver.receiver().interrupted());
}

TEST(V2Channels, APeerThatGoesBeforeItsHelloIsGone) {
  V2Driver driver(patient());
  driver.open(kFirst);
  driver.open(kSecond);
  EXPECT_FALSE(driver.close(kFirst).failure);
  EXPECT_TRUE(driver.close(kSecond).failed_with(ErrorCode::kPeerGone));
}

TEST(V2Channels, ACompleteUploadDoesNotMindLosingChannels) {
  Begun upload;
  upload.piece(kFirst, 0, 1000);
  EXPECT_FALSE(upload.driver.close(kFirst).failure);
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  EXPECT_EQ(upload.driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(upload.driver.receiver().begin_processing());
}

TEST(V2Channels, ACorruptBlockEndsItsChannelAndNotTheUpload) {
  Begun upload;
  upload.piece(kFirst, 0, 100);
  Bytes message = v2_block(100, ByteView(film()).subspan(100, 100));
  message.back() ^= 1;
  const V2Outcome outcome = upload.driver.deliver(kFirst, binary(message));
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCorruptChunk, true));
  EXPECT_EQ(upload.driver.receiver().statistics().rejected, 1U);
  EXPECT_TRUE(upload.driver.receiver().interrupted());
  const V2Outcome back = upload.driver.join(kSecond);
  EXPECT_THAT(back.sent<control::Ready>(kSecond)->have, ElementsAre(Range{0, 100}));
  EXPECT_TRUE(upload.piece(kSecond, 100, 1000).sent<control::Done>(kSecond));
}

TEST(V2Channels, WithoutResumingACorruptBlockIsTheEnd) {
  Limits limits = patient();
  limits.resume_timeout = 0s;
  Begun upload(limits);
  Bytes message = v2_block(0, film());
  message.back() ^= 1;
  const V2Outcome outcome = upload.driver.deliver(kFirst, binary(message));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCorruptChunk, false));
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kCorruptChunk));
}

// --- cancelling
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, CancelEndsTheUploadOnAllItsChannels) {
  Begun upload;
  upload.driver.join(kSecond);
  upload.driver.open(kThird);
  const V2Outcome outcome = upload.driver.say(kSecond, control::Cancel{.reason = "enough"});
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kCancelled));
  EXPECT_THAT(outcome.failure->message, HasSubstr("enough"));
  for (const ChannelId channel : {kFirst, kSecond, kThird}) {
    EXPECT_TRUE(outcome.ended_with(channel, ErrorCode::kCancelled, false)) << channel;
  }
}

TEST(V2Channels, CancelInEveryState) {
  V2Driver idle(patient());
  idle.open(kFirst);
  EXPECT_TRUE(idle.say(kFirst, control::Cancel{}).failed_with(ErrorCode::kCancelled));

  Begun interrupted;
  interrupted.driver.close(kFirst);
  interrupted.driver.join(kSecond);
  EXPECT_TRUE(
      interrupted.driver.say(kSecond, control::Cancel{}).failed_with(ErrorCode::kCancelled));

  Begun complete;
  complete.piece(kFirst, 0, 1000);
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  EXPECT_TRUE(complete.driver.receiver().begin_processing());
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  complete.driver.receiver().finish_processing();
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  EXPECT_EQ(complete.state(), UploadState::kDone);

  Begun failed;
  failed.driver.fail(ErrorCode::kQuotaExceeded);
  EXPECT_THAT(failed.driver.say(kFirst, control::Cancel{}).outputs, IsEmpty());
}

TEST(V2Channels, TheApplicationsFailureIsToldOnAllChannels) {
  Begun upload;
  upload.driver.join(kSecond);
  const V2Outcome outcome = upload.driver.fail(ErrorCode::kQuotaExceeded);
  for (const ChannelId channel : {kFirst, kSecond}) {
    EXPECT_TRUE(outcome.ended_with(channel, ErrorCode::kQuotaExceeded, false)) << channel;
  }
  EXPECT_THAT(upload.driver.fail(ErrorCode::kCancelled).outputs, IsEmpty());
}

// --- time
// -------------------------------------------------------------------------------------------------

Limits hurried() {
  return {.upload_timeout = 0s, .idle_timeout = 10s, .min_rate = 0, .resume_timeout = 60s};
}

TEST(V2Channels, TheIdleTimeOutDoesNotRunWhileNobodyIsThere) {
  Begun upload(hurried());
  upload.driver.now += 6s;
  upload.piece(kFirst, 0, 100);
  upload.driver.now += 6s;
  upload.driver.close(kFirst);
  upload.driver.now += 50s;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.join(kSecond);
  upload.driver.now += 4s - 1ns;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.now += 1ns;
  const V2Outcome outcome = upload.driver.tick();
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kIdleTimeout));
  EXPECT_THAT(outcome.failure->message, HasSubstr("no new byte for 10 s: 100 of 1000 bytes"));
  EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kIdleTimeout, false));
}

TEST(V2Channels, NorDoesTheLowestRate) {
  Limits limits = patient();
  limits.min_rate = 10;
  Begun upload(limits);
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

TEST(V2Channels, TheUploadTimeOutDoes) {
  Limits limits = patient();
  limits.upload_timeout = 40s;
  Begun upload(limits);
  upload.driver.now += 30s;
  upload.driver.close(kFirst);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 10s);
  upload.driver.now += 10s;
  EXPECT_TRUE(upload.driver.tick().failed_with(ErrorCode::kUploadTimeout));
}

TEST(V2Channels, AChannelThatSaysNothingIsClosedInTime) {
  Begun upload(hurried());
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

TEST(V2Channels, WithoutAHelloTheUploadIsIdle) {
  V2Driver driver(hurried());
  driver.open(kFirst);
  driver.now += 10s;
  EXPECT_TRUE(driver.tick().failed_with(ErrorCode::kIdleTimeout));
}

// --- acknowledgements
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, AFewBytesAreAcknowledgedSoon) {
  Begun upload;
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

TEST(V2Channels, EveryQuarterOfTheWindowIsAcknowledgedAtOnce) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 50;
  Begun upload(limits);
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

TEST(V2Channels, WhatComesTwiceCountsForTheCreditToo) {
  Limits limits = patient();
  limits.window = 400;
  Begun upload(limits);
  upload.piece(kFirst, 0, 90);
  const V2Outcome again = upload.piece(kFirst, 0, 90);
  ASSERT_TRUE(again.sent<control::Ack>(kFirst));
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->stored, 90U);
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->received, 180U);
  EXPECT_EQ(again.sent<control::Ack>(kFirst)->credit, 180 + kMaxBlockPayload);
}

TEST(V2Channels, ChannelsShareTheWindow) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 10;
  Begun upload(limits);
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

TEST(V2Channels, APeerThatPaysNoAttentionToItsCreditFails) {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  Begun upload(limits);
  EXPECT_FALSE(upload.waiting(kFirst, 800).failure);
  const V2Outcome outcome = upload.waiting(kFirst, 801);
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kCreditExceeded));
  EXPECT_THAT(outcome.failure->message, HasSubstr("801 bytes"));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCreditExceeded, false));
}

TEST(V2Channels, AStrangerThatFloodsLosesItsChannel) {
  Limits limits = patient();
  limits.window = 400;
  Begun upload(limits);
  upload.driver.open(kSecond);
  EXPECT_FALSE(upload.waiting(kSecond, 400).closed(kSecond));
  const V2Outcome outcome = upload.waiting(kSecond, 401);
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kCreditExceeded, false));
  // Nobody is there any more.
  EXPECT_THAT(upload.waiting(kSecond, 10'000).outputs, IsEmpty());
}

TEST(V2Channels, NothingThatWaitsMattersAfterTheEnd) {
  Limits limits = patient();
  limits.window = 400;
  Begun upload(limits);
  upload.piece(kFirst, 0, 1000);
  EXPECT_THAT(upload.waiting(kFirst, 10'000).outputs, IsEmpty());
  EXPECT_TRUE(upload.driver.receiver().complete());
}

}  // namespace
}  // namespace webrtcupload::testing
