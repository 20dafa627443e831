// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers of wire format v2 that come and go before an upload has begun, where that is no failure.

#include <gtest/gtest.h>

#include <cstdint>

#include "v2_film_upload.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

struct WaitingForPeers : V2Driver {
  WaitingForPeers()
      : V2Driver({.upload_timeout = 60s, .idle_timeout = 10s}, TimeBegins::kWithAChunk) {}
};

// Otherwise it would have the place for ever.
TEST(V2Idle, WhoSpeaksAndDoesNotBeginIsGivenUp) {
  for (const bool knows_type : {false, true}) {
    SCOPED_TRACE(knows_type ? "an ack" : "a type that is not known");
    WaitingForPeers driver;
    driver.open(kFirst);
    driver.now += 100s;
    EXPECT_FALSE(driver.tick().failure);
    if (knows_type) {
      driver.say(kFirst, control::Ack{});
    } else {
      driver.control(kFirst, std::optional<ControlMessage>());
    }
    EXPECT_EQ(driver.receiver().deadline(), driver.now + 10s);
    driver.now += 10s;
    const V2Outcome outcome = driver.tick();
    EXPECT_TRUE(outcome.failed_with(ErrorCode::kIdleTimeout));
    EXPECT_TRUE(outcome.ended_with(kFirst, ErrorCode::kIdleTimeout, false));
  }
}

TEST(V2Idle, AKeepaliveIsNoWord) {
  WaitingForPeers driver;
  driver.open(kFirst);
  EXPECT_TRUE(driver.deliver(kFirst, binary({})).replied);
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
}

TEST(V2Idle, NoPeerHasTheTimeOfOneBeforeIt) {
  WaitingForPeers driver;
  driver.open(kFirst);
  driver.open(kSecond);
  driver.say(kFirst, control::Ack{});
  driver.now += 9s;
  EXPECT_FALSE(driver.close(kSecond).failure);
  EXPECT_EQ(driver.receiver().deadline(), driver.now + 1s) << "the first one is still there";
  EXPECT_FALSE(driver.close(kFirst).failure);
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
  driver.now += 100s;
  driver.hello(kThird, hello_of_film());
  EXPECT_EQ(driver.receiver().state(), UploadState::kUploading);
  EXPECT_EQ(driver.receiver().deadline(), driver.now + 10s);
}

// Also of one that is sent away, and of whom nobody hears that it has gone.
TEST(V2Idle, NorTheTimeOfOneThatWasSentAway) {
  WaitingForPeers driver;
  driver.open(kFirst);
  driver.open(kSecond);
  EXPECT_TRUE(driver.hello(kFirst, {.upload = V2Driver::other_id()})
                  .ended_with(kFirst, ErrorCode::kUnknownUpload, false));
  EXPECT_EQ(driver.receiver().deadline(), std::nullopt);
}

TEST(V2Idle, AChannelThatIsKnownIsNoneTooMany) {
  WaitingForPeers driver;
  for (ChannelId channel = 1; channel <= kMaxStrangers; ++channel) driver.open(channel);
  EXPECT_TRUE(driver.open(kFirst).outputs.empty());
  EXPECT_TRUE(driver.open(kMaxStrangers + 1)
                  .ended_with(kMaxStrangers + 1, ErrorCode::kTooManyChannels, true));
  driver.say(kFirst, hello_of_film());
  EXPECT_EQ(driver.receiver().state(), UploadState::kUploading);
}

}  // namespace
}  // namespace webrtcupload::testing
