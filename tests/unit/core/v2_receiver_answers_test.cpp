// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Answers to a V2Receiver that come when the upload has ended, or goes on, meanwhile: here the
// driver's part is done by hand.

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <variant>

#include "v2_film_upload.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

const Error kCancelled{ErrorCode::kCancelled, "the test says so"};

bool is_nothing(const Action& action) { return std::holds_alternative<action::Nothing>(action); }

V2Receiver make_receiver() {
  V2Receiver receiver(patient(), V2Driver::test_id(), std::make_unique<V2Parser>(),
                      std::move(Sha256::create().value()));
  receiver.channel_opened(kFirst, 0s);
  return receiver;
}

Action say(V2Receiver& receiver, const ControlMessage& message) {
  const Bytes text = {'{', '}'};
  EXPECT_TRUE(std::holds_alternative<action::ReadControl>(
      receiver.receive(kFirst, text_message(text), 1s)));
  return receiver.control(std::optional(message));
}

V2Receiver begun_receiver() {
  V2Receiver receiver = make_receiver();
  EXPECT_TRUE(std::holds_alternative<action::Authorize>(say(receiver, hello_of_film())));
  EXPECT_TRUE(is_nothing(receiver.authorized(true, 1s)));
  return receiver;
}

Action send(V2Receiver& receiver, const Bytes& message) {
  return receiver.receive(kFirst, binary(message), 1s);
}

const Bytes& first_block() {
  static const Bytes message = v2_block(0, ByteView(film()).first(100));
  return message;
}

TEST(V2Answers, WithoutAQuestionChangeNothing) {
  V2Receiver receiver = begun_receiver();
  static_cast<void>(receiver.take_outputs());
  EXPECT_TRUE(is_nothing(receiver.control(std::optional<ControlMessage>(control::Cancel{}))));
  EXPECT_TRUE(is_nothing(receiver.authorized(false, 1s)));
  EXPECT_TRUE(is_nothing(receiver.compared(false)));
  EXPECT_TRUE(is_nothing(receiver.stored(1s)));
  EXPECT_TRUE(is_nothing(receiver.hashed(film())));
  EXPECT_EQ(receiver.state(), UploadState::kUploading);
  EXPECT_EQ(receiver.statistics().bytes, 0U);
  EXPECT_TRUE(receiver.take_outputs().empty());
}

TEST(V2Answers, ToWhatHasFailedMeanwhileChangeNothing) {
  V2Receiver asking = make_receiver();
  EXPECT_TRUE(std::holds_alternative<action::Authorize>(say(asking, hello_of_film())));
  static_cast<void>(asking.fail(kCancelled));
  EXPECT_TRUE(is_nothing(asking.authorized(true, 1s)));
  EXPECT_EQ(asking.state(), UploadState::kError);

  V2Receiver storing = begun_receiver();
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(storing, first_block())));
  static_cast<void>(storing.fail(kCancelled));
  EXPECT_TRUE(is_nothing(storing.stored(1s)));
  EXPECT_EQ(storing.statistics().bytes, 0U);

  V2Receiver comparing = begun_receiver();
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(comparing, first_block())));
  EXPECT_TRUE(is_nothing(comparing.stored(1s)));
  EXPECT_TRUE(std::holds_alternative<action::Compare>(send(comparing, first_block())));
  static_cast<void>(comparing.fail(kCancelled));
  EXPECT_TRUE(is_nothing(comparing.compared(false)));
  EXPECT_EQ(comparing.error()->code, ErrorCode::kCancelled);

  V2Receiver hashing = begun_receiver();
  const Bytes second = v2_block(100, ByteView(film()).subspan(100, 100));
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(hashing, second)));
  EXPECT_TRUE(is_nothing(hashing.stored(1s)));
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(hashing, first_block())));
  EXPECT_TRUE(std::holds_alternative<action::Hash>(hashing.stored(1s)));
  static_cast<void>(hashing.fail(kCancelled));
  EXPECT_TRUE(is_nothing(hashing.hashed(ByteView(film()).subspan(100, 100))));
}

// Or the same would be asked for ever.
TEST(V2Answers, NothingReadForAHashIsAFault) {
  V2Receiver receiver = begun_receiver();
  const Bytes second = v2_block(100, ByteView(film()).subspan(100, 100));
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(receiver, second)));
  EXPECT_TRUE(is_nothing(receiver.stored(1s)));
  EXPECT_TRUE(std::holds_alternative<action::Store>(send(receiver, first_block())));
  EXPECT_TRUE(std::holds_alternative<action::Hash>(receiver.stored(1s)));
  EXPECT_TRUE(std::holds_alternative<action::Fail>(receiver.hashed({})));
  EXPECT_EQ(receiver.error()->code, ErrorCode::kStorageFailed);
}

TEST(V2Answers, AQuestionThatWasOpenIsAskedAgainAfterAPause) {
  V2Receiver receiver = make_receiver();
  EXPECT_TRUE(std::holds_alternative<action::Authorize>(say(receiver, hello_of_film())));
  receiver.resume(patient(), 2s);
  EXPECT_TRUE(is_nothing(receiver.authorized(true, 1s)));
  EXPECT_EQ(receiver.state(), UploadState::kIdle);
  EXPECT_TRUE(std::holds_alternative<action::Authorize>(say(receiver, hello_of_film())));
  EXPECT_TRUE(is_nothing(receiver.authorized(true, 1s)));
  EXPECT_EQ(receiver.state(), UploadState::kUploading);
}

// Before it is stored, a block has not been handled: its sender may have to send it again.
TEST(V2Answers, ABlockThatWasOpenCountsOnceAfterAPause) {
  V2Receiver receiver = begun_receiver();
  ASSERT_TRUE(std::holds_alternative<action::Store>(send(receiver, first_block())));
  receiver.resume(patient(), 2s);
  static_cast<void>(receiver.take_outputs());
  ASSERT_TRUE(std::holds_alternative<action::Store>(send(receiver, first_block())));
  EXPECT_TRUE(is_nothing(receiver.stored(1s)));
  EXPECT_TRUE(is_nothing(receiver.tick(1s + kAckDelay)));
  const auto outputs = receiver.take_outputs();
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(std::get<control::Ack>(*outputs[0].message).received, 100U);
}

TEST(V2Answers, AnInterruptionThatSpansAPauseBeginsAnew) {
  V2Receiver receiver = begun_receiver();
  EXPECT_TRUE(is_nothing(receiver.channel_closed(kFirst, "gone", 10s)));
  EXPECT_EQ(receiver.deadline(), 70s);
  receiver.resume(patient(), 50s);
  EXPECT_EQ(receiver.deadline(), 110s);
  Limits limits = patient();
  limits.resume_timeout = 0s;
  receiver.resume(limits, 60s);
  EXPECT_EQ(receiver.deadline(), 60s);
  EXPECT_TRUE(std::holds_alternative<action::Fail>(receiver.tick(60s)));
}

}  // namespace
}  // namespace webrtcupload::testing
