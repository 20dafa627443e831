// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/v2_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "print_range.h"
#include "v2_receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr ChannelId kFirst = 1;
constexpr ChannelId kSecond = 2;
constexpr ChannelId kThird = 3;

control::Ready ready(std::uint64_t credit, std::vector<Range> have = {}) {
  return {.upload = V2Driver::test_id(),
          .have = std::move(have),
          .credit = credit,
          .max_payload = 100,
          .max_size = 10'000,
          .max_connections = 8,
          .resume_timeout = 60};
}

// A file of 1000 bytes in blocks of 100, whose hash is known.
V2Sender known_file() {
  V2Sender sender({.size = 1000, .name = "a", .sha256 = sum_of({})}, 100);
  sender.available(1000);
  return sender;
}

template <typename Kind>
std::vector<Kind> sent(V2Sender& sender, ChannelId channel) {
  std::vector<Kind> found;
  for (const Output& output : sender.take_outputs()) {
    if (output.channel != channel || !output.message) continue;
    if (const auto* message = std::get_if<Kind>(&*output.message)) found.push_back(*message);
  }
  return found;
}

std::vector<ChannelId> closed(V2Sender& sender) {
  std::vector<ChannelId> channels;
  for (const Output& output : sender.take_outputs()) {
    if (!output.message) channels.push_back(output.channel);
  }
  return channels;
}

std::vector<Range> all(V2Sender& sender, ChannelId channel) {
  std::vector<Range> blocks;
  while (const auto block = sender.next(channel)) blocks.push_back(*block);
  return blocks;
}

TEST(V2Sender, SaysHelloAndSendsWhatItsCreditAllows) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  EXPECT_THAT(sent<control::Hello>(sender, kFirst),
              ElementsAre(control::Hello{.size = 1000, .name = "a", .sha256 = sum_of({})}));
  EXPECT_EQ(sender.next(kFirst), std::nullopt);
  sender.received(kFirst, ready(250));
  EXPECT_THAT(sender.take_outputs(), IsEmpty());
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{0, 100}, Range{100, 200}));
  sender.received(kFirst, control::Ack{.stored = 100, .received = 100, .credit = 300});
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{200, 300}));
  EXPECT_EQ(sender.stored(), 100U);
  // A server that takes credit back is not listened to.
  sender.received(kFirst, control::Ack{.stored = 100, .received = 100, .credit = 0});
  sender.received(kFirst, control::Ack{.stored = 300, .received = 300, .credit = 400});
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{300, 400}));
}

TEST(V2Sender, BlocksAreAsSmallAsTheServerWants) {
  V2Sender sender({.size = 250}, 5000);
  sender.available(250);
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(1000));
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{0, 100}, Range{100, 200}, Range{200, 250}));
}

TEST(V2Sender, BlocksThatAreNeverReceivedAreBounded) {
  V2Sender sender({.size = 1'000'000}, 1);
  sender.available(1'000'000);
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(1'000'000));
  EXPECT_THAT(all(sender, kFirst), SizeIs(V2Sender::kMaxUnderWay));
  sender.received(kFirst, control::Ack{.stored = 10, .received = 10, .credit = 1'000'000});
  EXPECT_THAT(all(sender, kFirst), SizeIs(10));
}

TEST(V2Sender, KnowsWhetherAllThatIsAvailableIsHandedOut) {
  V2Sender sender({}, 100);
  EXPECT_TRUE(sender.all_handed_out());
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(1000, {{0, 50}}));
  sender.available(50);
  EXPECT_TRUE(sender.all_handed_out()) << "the server has it";
  sender.available(200);
  EXPECT_FALSE(sender.all_handed_out());
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{50, 150}, Range{150, 200}));
  EXPECT_TRUE(sender.all_handed_out());
  sender.channel_lost(kFirst);
  EXPECT_FALSE(sender.all_handed_out());
}

TEST(V2Sender, OtherChannelsJoinOnceTheIdIsKnown) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.channel_opened(kSecond);
  EXPECT_THAT(sender.take_outputs(), SizeIs(1));
  sender.received(kFirst, ready(200));
  const auto hellos = sent<control::Hello>(sender, kSecond);
  ASSERT_THAT(hellos, SizeIs(1));
  EXPECT_EQ(hellos[0].upload, V2Driver::test_id());
  sender.received(kSecond, ready(200));
  EXPECT_EQ(sender.connections(), 2U);
  EXPECT_EQ(sender.next(kFirst), (Range{0, 100}));
  EXPECT_EQ(sender.next(kSecond), (Range{100, 200}));
  EXPECT_EQ(sender.next(kFirst), (Range{200, 300}));
}

TEST(V2Sender, WhatALostChannelHadUnderWayGoesOverTheOthers) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(400));
  sender.channel_opened(kSecond);
  sender.received(kSecond, ready(1000));
  EXPECT_THAT(all(sender, kFirst), SizeIs(4));
  EXPECT_EQ(sender.next(kSecond), (Range{400, 500}));
  // Half a block is none.
  sender.received(kFirst, control::Ack{.stored = 150, .received = 250, .credit = 400});
  EXPECT_EQ(sender.needed_from(), 200U);
  sender.channel_lost(kFirst);
  EXPECT_THAT(all(sender, kSecond),
              ElementsAre(Range{200, 300}, Range{300, 400}, Range{500, 600}, Range{600, 700},
                          Range{700, 800}, Range{800, 900}, Range{900, 1000}));
  EXPECT_EQ(sender.sent_bytes(), 1200U);
}

TEST(V2Sender, WhatTheServerHasIsNotSentAgain) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(500));
  EXPECT_THAT(all(sender, kFirst), SizeIs(5));
  sender.channel_lost(kFirst);
  EXPECT_EQ(sender.needed_from(), 0U);
  sender.channel_opened(kSecond);
  EXPECT_EQ(sent<control::Hello>(sender, kSecond).at(0).upload, V2Driver::test_id());
  sender.received(kSecond, ready(1000, {{0, 320}, {400, 500}}));
  EXPECT_EQ(sender.needed_from(), 320U);
  EXPECT_THAT(all(sender, kSecond),
              ElementsAre(Range{320, 400}, Range{500, 600}, Range{600, 700}, Range{700, 800},
                          Range{800, 900}, Range{900, 1000}));
}

TEST(V2Sender, AStreamIsSentAsItComesAndEndsWithAnEnd) {
  V2Sender sender({}, 100);
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(1000));
  EXPECT_EQ(sender.next(kFirst), std::nullopt);
  sender.available(150);
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{0, 100}, Range{100, 150}));
  sender.available(180);
  EXPECT_THAT(all(sender, kFirst), ElementsAre(Range{150, 180}));
  sender.end(180, sum_of({}));
  EXPECT_THAT(sent<control::End>(sender, kFirst),
              ElementsAre(control::End{.size = 180, .sha256 = sum_of({})}));
  // It is said again where it may not have arrived.
  sender.channel_lost(kFirst);
  sender.channel_opened(kSecond);
  sender.received(kSecond, ready(1000, {{0, 180}}));
  EXPECT_THAT(sent<control::End>(sender, kSecond), SizeIs(1));
}

// Any of them may be lost with what was said over it, and the upload ends over the others.
TEST(V2Sender, TheEndIsSaidOverEveryChannel) {
  V2Sender sender({}, 100);
  for (const ChannelId channel : {kFirst, kSecond}) {
    sender.channel_opened(channel);
    sender.received(channel, ready(1000));
  }
  sender.channel_opened(kThird);
  static_cast<void>(sender.take_outputs());
  sender.end(180, sum_of({}));
  std::vector<ChannelId> told;
  for (const Output& output : sender.take_outputs()) {
    ASSERT_TRUE(output.message && std::holds_alternative<control::End>(*output.message));
    told.push_back(output.channel);
  }
  EXPECT_THAT(told, ElementsAre(kFirst, kSecond));
  sender.received(kThird, ready(1000));
  EXPECT_THAT(sent<control::End>(sender, kThird), SizeIs(1));
}

TEST(V2Sender, WhoGoesOnWithAnUploadSaysTheEndThoughItsHelloHasAll) {
  V2Sender sender({.size = 1000, .sha256 = sum_of({}), .upload = V2Driver::test_id()}, 100);
  sender.channel_opened(kFirst);
  EXPECT_EQ(sent<control::Hello>(sender, kFirst).at(0).upload, V2Driver::test_id());
  sender.received(kFirst, ready(1000));
  EXPECT_THAT(sent<control::End>(sender, kFirst), SizeIs(1));
}

TEST(V2Sender, DoneEndsIt) {
  V2Sender sender = known_file();
  for (const ChannelId channel : {kFirst, kSecond}) {
    sender.channel_opened(channel);
    sender.received(channel, ready(100));
  }
  sender.received(kSecond, control::Done{1000, sum_of({})});
  EXPECT_EQ(sender.done(), (control::Done{1000, sum_of({})}));
  EXPECT_FALSE(sender.failure());
  EXPECT_EQ(sender.stored(), 1000U);
  EXPECT_THAT(closed(sender), ElementsAre(kFirst, kSecond));
  EXPECT_EQ(sender.next(kFirst), std::nullopt);
}

TEST(V2Sender, AChannelThatOpensAfterTheEndIsClosed) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(100));
  sender.received(kFirst, control::Done{1000, sum_of({})});
  static_cast<void>(sender.take_outputs());
  sender.channel_opened(kSecond);
  const auto outputs = sender.take_outputs();
  ASSERT_THAT(outputs, SizeIs(1));
  EXPECT_EQ(outputs[0].channel, kSecond);
  EXPECT_FALSE(outputs[0].message);
}

TEST(V2Sender, DoneWithAnotherFileIsAFailure) {
  for (const control::Done& wrong :
       {control::Done{999, sum_of({})}, control::Done{1000, sum_of(pattern(1))}}) {
    V2Sender sender = known_file();
    sender.channel_opened(kFirst);
    sender.received(kFirst, ready(100));
    sender.received(kFirst, wrong);
    ASSERT_TRUE(sender.failure());
    EXPECT_EQ(sender.failure()->code, "hash-mismatch");
    EXPECT_FALSE(sender.done());
  }
  // Before the client knows what the file is, which another one may have said.
  V2Sender sender({}, 100);
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(100));
  sender.received(kFirst, control::Done{5, sum_of({})});
  EXPECT_TRUE(sender.done());
  sender.end(5, sum_of(pattern(5)));
  EXPECT_FALSE(sender.done());
  EXPECT_TRUE(sender.failure());
}

// What a server says before the source has ended is believed as long as it can be true.
TEST(V2Sender, AnEarlyDoneThatCannotBeTrueIsAFailureAtOnce) {
  V2Sender sender({.size = 1000}, 100);
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(100));
  sender.received(kFirst, control::Done{999, sum_of({})});
  EXPECT_TRUE(sender.failure()) << "another size than that of the hello";

  V2Sender stream({}, 100);
  stream.channel_opened(kFirst);
  stream.received(kFirst, ready(100));
  stream.available(100);
  stream.received(kFirst, control::Done{150, sum_of({})});
  EXPECT_TRUE(stream.done());
  stream.available(150);
  EXPECT_TRUE(stream.done());
  stream.available(151);
  ASSERT_TRUE(stream.failure()) << "the source has more";
  EXPECT_EQ(stream.failure()->code, "hash-mismatch");
  EXPECT_FALSE(stream.done());
}

TEST(V2Sender, KnowsWhoHasJoinedAndWhetherThereIsCredit) {
  V2Sender sender({.size = 1000}, 100);
  sender.channel_opened(kFirst);
  EXPECT_TRUE(sender.has_channel(kFirst));
  EXPECT_FALSE(sender.has_joined(kFirst));
  EXPECT_FALSE(sender.has_credit());
  sender.received(kFirst, ready(150));
  EXPECT_TRUE(sender.has_joined(kFirst));
  EXPECT_FALSE(sender.has_credit()) << "nothing is to be sent";
  sender.available(250);
  EXPECT_TRUE(sender.has_credit());
  EXPECT_EQ(sender.next(kFirst), (Range{0, 100}));
  EXPECT_FALSE(sender.has_credit()) << "half a block";
  sender.channel_opened(kSecond);
  sender.received(kSecond, ready(100));
  EXPECT_TRUE(sender.has_credit());
  sender.channel_lost(kSecond);
  EXPECT_FALSE(sender.has_channel(kSecond));
  EXPECT_FALSE(sender.has_joined(kSecond));
  EXPECT_FALSE(sender.has_credit());
}

TEST(V2Sender, AFailureEndsItUnlessItIsResumable) {
  V2Sender sender = known_file();
  for (const ChannelId channel : {kFirst, kSecond, kThird}) {
    sender.channel_opened(channel);
    sender.received(channel, ready(100));
  }
  static_cast<void>(sender.take_outputs());
  sender.received(kFirst, control::Failure{.code = "corrupt-chunk", .resumable = true});
  EXPECT_FALSE(sender.failure());
  EXPECT_THAT(closed(sender), ElementsAre(kFirst));
  EXPECT_EQ(sender.connections(), 2U);
  sender.received(kSecond, control::Failure{.code = "too-large"});
  ASSERT_TRUE(sender.failure());
  EXPECT_EQ(sender.failure()->code, "too-large");
  EXPECT_THAT(closed(sender), ElementsAre(kSecond, kThird));
}

TEST(V2Sender, AChannelThatIsNotLetInMattersToNobodyElse) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.received(kFirst, ready(100));
  sender.channel_opened(kSecond);
  static_cast<void>(sender.take_outputs());
  sender.received(kSecond, control::Failure{.code = "too-many-channels"});
  EXPECT_FALSE(sender.failure());
  EXPECT_THAT(closed(sender), ElementsAre(kSecond));
  sender.channel_lost(kFirst);
  sender.channel_opened(kThird);
  sender.received(kThird, control::Failure{.code = "unknown-upload"});
  EXPECT_EQ(sender.failure()->code, "unknown-upload");
}

TEST(V2Sender, WhenTheFirstChannelGoesUnansweredAnotherOneBegins) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  sender.channel_opened(kSecond);
  static_cast<void>(sender.take_outputs());
  sender.channel_lost(kFirst);
  EXPECT_EQ(sent<control::Hello>(sender, kSecond).at(0).upload, std::nullopt);
}

TEST(V2Sender, AHostileServerChangesNothing) {
  V2Sender sender = known_file();
  sender.channel_opened(kFirst);
  // Before it has let the channel in.
  sender.received(kFirst, control::Ack{.stored = 5, .received = 5, .credit = 500});
  sender.received(kFirst, control::Done{1000, sum_of({})});
  sender.received(kFirst, control::Hello{});
  sender.received(kFirst, control::Cancel{});
  EXPECT_FALSE(sender.ended());
  EXPECT_EQ(sender.next(kFirst), std::nullopt);
  control::Ready odd = ready(1000);
  odd.max_payload = 0;
  sender.received(kFirst, odd);
  EXPECT_EQ(sender.next(kFirst), (Range{0, 1}));
  // More than was sent.
  sender.received(kFirst, control::Ack{.stored = 9999, .received = 9999, .credit = 1000});
  EXPECT_EQ(sender.needed_from(), 1U);
  // Another upload, over another channel.
  sender.channel_opened(kSecond);
  static_cast<void>(sender.take_outputs());
  control::Ready other = ready(1000);
  other.upload = V2Driver::other_id();
  sender.received(kSecond, other);
  EXPECT_THAT(closed(sender), ElementsAre(kSecond));
  EXPECT_EQ(sender.id(), V2Driver::test_id());
}

}  // namespace
}  // namespace webrtcupload::testing
