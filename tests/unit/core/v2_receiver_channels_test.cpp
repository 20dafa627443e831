// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Channels of an upload in wire format v2: how they join, what they may send, and what becomes of
// the upload when they go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "v2_film_upload.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

UploadId nonce(std::uint8_t byte) {
  UploadId::Bytes bytes;
  bytes.fill(byte);
  return UploadId(bytes);
}

// --- joining
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, AChannelThatKnowsTheIdJoins) {
  FilmUpload upload;
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
  FilmUpload upload;
  upload.piece(kFirst, 0, 100);
  const auto refused = [&](ErrorCode code, const V2Outcome& outcome) {
    EXPECT_FALSE(outcome.failure) << to_string(code);
    EXPECT_TRUE(outcome.ended_with(kSecond, code, false)) << to_string(code);
    EXPECT_THAT(outcome.outputs, SizeIs(2));
    EXPECT_EQ(upload.state(), UploadState::kUploading);
  };
  refused(ErrorCode::kUnknownUpload,
          upload.driver.hello(kSecond, {.upload = V2Driver::other_id()}));
  refused(ErrorCode::kUnknownUpload, upload.driver.hello(kSecond, hello_of_film()));
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
  FilmUpload upload;
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
  FilmUpload upload;
  EXPECT_TRUE(upload.driver.hello(kSecond, {.size = 999, .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kSizeMismatch, false));
  EXPECT_TRUE(upload.driver.hello(kSecond, {.sha256 = sum_of({}), .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kHashMismatch, false));
  control::Hello same = hello_of_film();
  same.upload = V2Driver::test_id();
  EXPECT_TRUE(upload.driver.hello(kSecond, same).sent<control::Ready>(kSecond));
  EXPECT_EQ(upload.state(), UploadState::kUploading);
}

// A client that has changed its network comes back before its old channels are known to be dead.
TEST(V2Channels, ThereAreAtMostSoManyAndTheQuietestGivesWay) {
  Limits limits = patient();
  limits.max_connections = 2;
  FilmUpload upload(limits);
  upload.driver.now += 1s;
  EXPECT_TRUE(upload.driver.join(kSecond).sent<control::Ready>(kSecond));
  upload.driver.now += 1s;
  upload.piece(kFirst, 0, 100);
  const V2Outcome outcome = upload.driver.join(kThird);
  EXPECT_TRUE(outcome.sent<control::Ready>(kThird));
  EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kTooManyChannels, true));
  EXPECT_FALSE(outcome.closed(kFirst));
  EXPECT_EQ(upload.driver.receiver().connections(), 2U);
  EXPECT_TRUE(upload.piece(kThird, 100, 1000).sent<control::Done>(kFirst));
  // After the end too.
  EXPECT_TRUE(upload.driver.join(kSecond).sent<control::Done>(kSecond));
  EXPECT_EQ(upload.driver.receiver().connections(), 2U);
}

TEST(V2Channels, WhatAHelloThatJoinsNamesCounts) {
  V2Driver driver(patient());
  driver.hello(kFirst, {});
  driver.piece(kFirst, film(), 0, 1000);
  const V2Outcome outcome = driver.hello(
      kSecond, {.size = film().size(), .sha256 = sum_of(film()), .upload = V2Driver::test_id()});
  ASSERT_TRUE(outcome.sent<control::Ready>(kSecond));
  ASSERT_TRUE(outcome.sent<control::Done>(kSecond));
  EXPECT_TRUE(outcome.sent<control::Done>(kFirst));
  // When the file is complete, a hash is compared with the file's.
  EXPECT_TRUE(driver.hello(kThird, {.sha256 = sum_of({}), .upload = V2Driver::test_id()})
                  .ended_with(kThird, ErrorCode::kHashMismatch, false));
  EXPECT_TRUE(driver.receiver().complete());
}

TEST(V2Channels, AHashThatOnlyAHelloThatJoinsNamesIsHeldAgainstTheFile) {
  V2Driver driver(patient());
  driver.hello(kFirst, {.size = film().size()});
  driver.hello(kSecond, {.sha256 = sum_of({}), .upload = V2Driver::test_id()});
  driver.piece(kSecond, film(), 0, 1000);
  EXPECT_TRUE(driver.say(kFirst, control::End{.size = film().size()})
                  .failed_with(ErrorCode::kHashMismatch));
}

TEST(V2Channels, WhoJoinsMayNotNameASizeThatCannotBe) {
  Limits limits = patient();
  limits.max_size = 2000;
  V2Driver driver(limits);
  driver.hello(kFirst, {});
  driver.piece(kFirst, film(), 0, 1000);
  EXPECT_TRUE(driver.hello(kSecond, {.size = 999, .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kSizeMismatch, false));
  EXPECT_TRUE(driver.hello(kSecond, {.size = 2001, .upload = V2Driver::test_id()})
                  .ended_with(kSecond, ErrorCode::kTooLarge, false));
  EXPECT_EQ(driver.receiver().connections(), 1U);
}

// Another one may bring the hello that is waited for.
TEST(V2Channels, BeforeTheUploadBeginsAFaultEndsItsOwnChannel) {
  V2Driver driver(patient());
  driver.open(kFirst);
  driver.open(kSecond);
  driver.open(kThird);
  EXPECT_TRUE(driver.deliver(kFirst, binary(Bytes(5, 1)))
                  .ended_with(kFirst, ErrorCode::kMalformedMessage, false));
  EXPECT_TRUE(driver.say(kSecond, control::Cancel{})
                  .ended_with(kSecond, ErrorCode::kUnexpectedMessage, false));
  EXPECT_TRUE(driver.say(kThird, hello_of_film()).sent<control::Ready>(kThird));
}

TEST(V2Channels, LessThanASecondIsNotToldAsNone) {
  Limits limits = patient();
  limits.resume_timeout = 500ms;
  V2Driver driver(limits);
  EXPECT_EQ(driver.hello(kFirst, {}).sent<control::Ready>(kFirst)->resume_timeout, 1U);
}

TEST(V2Channels, TheOnlyOneGivesWayToo) {
  Limits limits = patient();
  limits.max_connections = 1;
  // Not a failure: the other one is there already.
  limits.resume_timeout = 0s;
  FilmUpload upload(limits);
  const V2Outcome outcome = upload.driver.join(kSecond);
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.sent<control::Ready>(kSecond));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kTooManyChannels, true));
  EXPECT_FALSE(upload.driver.receiver().interrupted());
}

TEST(V2Channels, NorAreThereMoreThatSayNothing) {
  FilmUpload upload;
  constexpr ChannelId kStrangers = 100;
  for (ChannelId channel = kStrangers; channel < kStrangers + kMaxStrangers; ++channel) {
    EXPECT_THAT(upload.driver.open(channel).outputs, IsEmpty());
  }
  EXPECT_TRUE(upload.driver.open(kSecond).ended_with(kSecond, ErrorCode::kTooManyChannels, true));
  EXPECT_EQ(upload.state(), UploadState::kUploading);
  upload.driver.say(kStrangers, control::Hello{.upload = V2Driver::test_id()});
  EXPECT_THAT(upload.driver.open(kThird).outputs, IsEmpty());
  EXPECT_EQ(upload.driver.receiver().connections(), 2U);
}

TEST(V2Channels, WhoComesBackAfterTheEndIsToldOfIt) {
  FilmUpload upload;
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
  FilmUpload upload;
  upload.driver.fail(ErrorCode::kQuotaExceeded);
  EXPECT_TRUE(upload.driver.join(kSecond).ended_with(kSecond, ErrorCode::kQuotaExceeded, false));
  EXPECT_TRUE(upload.driver.hello(kThird, {.upload = V2Driver::other_id()})
                  .ended_with(kThird, ErrorCode::kUnknownUpload, false));
  EXPECT_EQ(upload.state(), UploadState::kError);
}

// --- losing and resuming
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, TheLastChannelsEndInterruptsAndAnotherOneResumes) {
  FilmUpload upload;
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
  FilmUpload upload;
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

TEST(V2Channels, AnUploadMayWaitForEver) {
  Limits limits = patient();
  // What becomes of an unsigned "for ever".
  limits.resume_timeout = -1ns;
  V2Driver driver(limits);
  const V2Outcome outcome = driver.hello(kFirst, hello_of_film());
  EXPECT_EQ(outcome.sent<control::Ready>(kFirst)->resume_timeout, control::kNumberLimit - 1);
  EXPECT_FALSE(driver.close(kFirst).failure);
  EXPECT_TRUE(driver.receiver().interrupted());
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  driver.now += 24h;
  EXPECT_FALSE(driver.tick().failure);
  EXPECT_TRUE(driver.join(kSecond).sent<control::Ready>(kSecond));
}

TEST(V2Channels, WithoutResumingTheEndOfTheLastChannelIsAFailure) {
  Limits limits = patient();
  limits.resume_timeout = 0s;
  FilmUpload upload(limits);
  upload.driver.join(kSecond);
  EXPECT_FALSE(upload.driver.close(kFirst).failure);
  const V2Outcome outcome = upload.driver.close(kSecond);
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kPeerGone));
  EXPECT_THAT(outcome.failure->message, HasSubstr("the data channel was closed: 0 of 1000 bytes"));
}

TEST(V2Channels, WhoWasNotToldTheIdIsKnownByItsNonce) {
  control::Hello hello = hello_of_film();
  hello.nonce = nonce(7);
  V2Driver driver(patient());
  driver.hello(kFirst, hello);
  // Also before the loss of the first one has been noticed.
  const V2Outcome outcome = driver.hello(kSecond, hello);
  EXPECT_FALSE(outcome.asked);
  ASSERT_TRUE(outcome.sent<control::Ready>(kSecond));
  EXPECT_EQ(outcome.sent<control::Ready>(kSecond)->upload, V2Driver::test_id());
  driver.close(kFirst);
  driver.piece(kSecond, film(), 0, 100);
  driver.close(kSecond);
  EXPECT_TRUE(driver.receiver().interrupted());
  EXPECT_TRUE(driver.hello(kThird, hello).sent<control::Ready>(kThird));
  EXPECT_FALSE(driver.receiver().interrupted());
  driver.fail(ErrorCode::kQuotaExceeded);
  EXPECT_TRUE(driver.hello(kFirst, hello).ended_with(kFirst, ErrorCode::kQuotaExceeded, false));
}

TEST(V2Channels, WhoSaysTheSameOfAFileIsNotToldTheId) {
  for (const bool names_nonce : {false, true}) {
    V2Driver driver(patient());
    control::Hello hello = hello_of_film();
    if (names_nonce) hello.nonce = nonce(7);
    driver.hello(kFirst, hello);
    driver.close(kFirst);
    // The first of them is what a stranger may guess; an empty one is what it may always say.
    control::Hello other_nonce = hello;
    other_nonce.nonce = nonce(8);
    for (const control::Hello& stranger : {hello_of_film(), other_nonce, control::Hello{}}) {
      const V2Outcome outcome = driver.hello(kSecond, stranger);
      EXPECT_FALSE(outcome.sent<control::Ready>(kSecond));
      EXPECT_TRUE(outcome.ended_with(kSecond, ErrorCode::kUnknownUpload, false));
      EXPECT_TRUE(driver.receiver().interrupted());
    }
  }
}

TEST(V2Channels, OnlyTheLastChannelThatHasJoinedInterrupts) {
  FilmUpload upload;
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
  FilmUpload upload;
  upload.piece(kFirst, 0, 1000);
  EXPECT_FALSE(upload.driver.close(kFirst).failure);
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  EXPECT_EQ(upload.driver.receiver().deadline(), std::nullopt);
  EXPECT_TRUE(upload.driver.receiver().begin_processing());
}

TEST(V2Channels, ACorruptBlockEndsItsChannelAndNotTheUpload) {
  FilmUpload upload;
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
  FilmUpload upload(limits);
  Bytes message = v2_block(0, film());
  message.back() ^= 1;
  const V2Outcome outcome = upload.driver.deliver(kFirst, binary(message));
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCorruptChunk, false));
  EXPECT_TRUE(outcome.failed_with(ErrorCode::kCorruptChunk));
}

TEST(V2Channels, WithoutResumingACorruptBlockEndsOnlyOneOfSeveral) {
  Limits limits = patient();
  limits.resume_timeout = 0s;
  FilmUpload upload(limits);
  upload.driver.join(kSecond);
  Bytes message = v2_block(0, film());
  message.back() ^= 1;
  const V2Outcome outcome = upload.driver.deliver(kFirst, binary(message));
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kCorruptChunk, true));
}

// --- cancelling
// -------------------------------------------------------------------------------------------------

TEST(V2Channels, CancelEndsTheUploadOnAllItsChannels) {
  FilmUpload upload;
  upload.driver.join(kSecond);
  upload.driver.open(kThird);
  const V2Outcome outcome = upload.driver.say(kSecond, control::Cancel{.reason = "enough"});
  ASSERT_TRUE(outcome.failed_with(ErrorCode::kCancelled));
  EXPECT_THAT(outcome.failure->message, HasSubstr("enough"));
  for (const ChannelId channel : {kFirst, kSecond}) {
    EXPECT_TRUE(outcome.ended_with(channel, ErrorCode::kCancelled, false)) << channel;
  }
  // Whoever is there has not shown that the upload is theirs.
  EXPECT_TRUE(outcome.closed(kThird));
  EXPECT_FALSE(outcome.sent<control::Failure>(kThird));
}

TEST(V2Channels, StrangersAreNotToldHowTheUploadEnds) {
  FilmUpload upload;
  upload.driver.open(kSecond);
  const V2Outcome outcome = upload.driver.fail(ErrorCode::kHashMismatch);
  EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kHashMismatch, false));
  EXPECT_TRUE(outcome.closed(kSecond));
  EXPECT_FALSE(outcome.sent<control::Failure>(kSecond));
  // Before one has begun there are none: whoever is there is told.
  V2Driver idle(patient());
  idle.open(kFirst);
  EXPECT_TRUE(
      idle.fail(ErrorCode::kQuotaExceeded).ended_with(kFirst, ErrorCode::kQuotaExceeded, false));
}

TEST(V2Channels, CancelInEveryState) {
  V2Driver idle(patient());
  idle.open(kFirst);
  EXPECT_TRUE(idle.say(kFirst, control::Cancel{}).failed_with(ErrorCode::kCancelled));

  FilmUpload interrupted;
  interrupted.driver.close(kFirst);
  interrupted.driver.join(kSecond);
  EXPECT_TRUE(
      interrupted.driver.say(kSecond, control::Cancel{}).failed_with(ErrorCode::kCancelled));

  FilmUpload complete;
  complete.piece(kFirst, 0, 1000);
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  EXPECT_TRUE(complete.driver.receiver().begin_processing());
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  complete.driver.receiver().finish_processing();
  EXPECT_FALSE(complete.driver.say(kFirst, control::Cancel{}).failure);
  EXPECT_EQ(complete.state(), UploadState::kDone);

  FilmUpload failed;
  failed.driver.fail(ErrorCode::kQuotaExceeded);
  EXPECT_THAT(failed.driver.say(kFirst, control::Cancel{}).outputs, IsEmpty());
}

TEST(V2Channels, TheApplicationsFailureIsToldOnAllChannels) {
  FilmUpload upload;
  upload.driver.join(kSecond);
  const V2Outcome outcome = upload.driver.fail(ErrorCode::kQuotaExceeded);
  for (const ChannelId channel : {kFirst, kSecond}) {
    EXPECT_TRUE(outcome.ended_with(channel, ErrorCode::kQuotaExceeded, false)) << channel;
  }
  EXPECT_THAT(upload.driver.fail(ErrorCode::kCancelled).outputs, IsEmpty());
}

}  // namespace
}  // namespace webrtcupload::testing
