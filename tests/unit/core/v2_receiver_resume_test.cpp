// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire format v2 that goes on after a pause in which its receiver was not driven.

#include <gtest/gtest.h>

#include <cstdint>
#include <variant>

#include "v2_film_upload.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

Limits small() {
  Limits limits = patient();
  limits.window = 400;
  limits.max_chunk_size = 100;
  return limits;
}

TEST(V2Pause, WhoKeepsToACreditFromBeforeDoesNotFail) {
  FilmUpload upload(small());
  Limits limits = small();
  limits.window = 10;
  upload.driver.receiver().resume(limits, upload.driver.now);
  EXPECT_FALSE(upload.waiting(kFirst, 400).failure);
  // A block more, in which control messages have their room.
  EXPECT_FALSE(upload.waiting(kFirst, 500).failure);
  EXPECT_TRUE(upload.waiting(kFirst, 501).failed_with(ErrorCode::kCreditExceeded));
}

TEST(V2Pause, NorWhoKeepsToALargestBlockFromBefore) {
  FilmUpload upload(small());
  Limits limits = small();
  limits.max_chunk_size = 10;
  upload.driver.receiver().resume(limits, upload.driver.now);
  EXPECT_TRUE(upload.piece(kFirst, 0, 100).stored);
  EXPECT_TRUE(upload.piece(kFirst, 100, 201).failed_with(ErrorCode::kChunkTooLarge));
}

// The last bytes came, and the pause began while their hash was computed.
TEST(V2Pause, WhatWasLeftToHashIsHashed) {
  FilmUpload upload;
  V2Receiver& receiver = upload.driver.receiver();
  for (std::uint64_t at = 900; at > 0; at -= 100) upload.piece(kFirst, at, at + 100);
  const Bytes first = v2_block(0, ByteView(film()).first(100));
  const Action store = receiver.receive(kFirst, binary(first), upload.driver.now);
  ASSERT_TRUE(std::holds_alternative<action::Store>(store));
  ASSERT_FALSE(upload.driver.storage().write(0, ByteView(film()).first(100)));
  ASSERT_TRUE(std::holds_alternative<action::Hash>(receiver.stored(upload.driver.now)));
  EXPECT_EQ(upload.state(), UploadState::kUploading);

  receiver.resume(patient(), upload.driver.now);
  EXPECT_EQ(receiver.deadline(), upload.driver.now);
  const V2Outcome outcome = upload.driver.tick();
  EXPECT_EQ(upload.state(), UploadState::kComplete);
  ASSERT_TRUE(outcome.sent<control::Done>(kFirst));
  EXPECT_EQ(outcome.sent<control::Done>(kFirst)->sha256, sum_of(film()));
  EXPECT_EQ(receiver.deadline(), std::nullopt);
}

TEST(V2Pause, AnUploadWhoseBytesAreNotAllThereIsNotComplete) {
  FilmUpload upload;
  upload.piece(kFirst, 0, 999);
  upload.driver.receiver().resume(patient(), upload.driver.now);
  upload.driver.now += 1s;
  upload.driver.tick();
  EXPECT_EQ(upload.state(), UploadState::kUploading);
  EXPECT_EQ(upload.driver.receiver().deadline(), std::nullopt);
}

// It had come back, and the application had the worker.
TEST(V2Pause, ForWhichWeAreToBlameCostsNoTimeToComeBack) {
  FilmUpload upload;
  upload.driver.close(kFirst);
  upload.driver.now += 59s;
  upload.driver.receiver().kept_waiting(50s);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 51s);
  upload.driver.now += 50s;
  EXPECT_FALSE(upload.driver.tick().failure);
  upload.driver.join(kSecond);
  EXPECT_FALSE(upload.driver.receiver().interrupted());
  // Only its own 59 s are used up.
  upload.driver.close(kSecond);
  EXPECT_EQ(upload.driver.receiver().deadline(), upload.driver.now + 1s);
}

}  // namespace
}  // namespace webrtcupload::testing
