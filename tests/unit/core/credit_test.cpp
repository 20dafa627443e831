// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/credit.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>

namespace webrtcupload {
namespace {

void tell(CreditWindow& window, ChannelId channel) { window.told(channel, window.credit(channel)); }

TEST(CreditWindow, ALoneChannelHasAllOfTheWindow) {
  CreditWindow window(1000, 10);
  window.add(1);
  EXPECT_EQ(window.credit(1), 1000U);
  tell(window, 1);
  window.received(1, 100);
  EXPECT_EQ(window.credit(1), 1100U);
}

TEST(CreditWindow, IsToldOfAtEveryQuarter) {
  CreditWindow window(1000, 10);
  window.add(1);
  tell(window, 1);
  window.received(1, 249);
  EXPECT_FALSE(window.should_tell(1));
  window.received(1, 1);
  EXPECT_TRUE(window.should_tell(1));
  tell(window, 1);
  EXPECT_FALSE(window.should_tell(1));
}

TEST(CreditWindow, AChannelThatJoinsGetsOnThoughAnotherOneHoldsTheWindow) {
  CreditWindow window(1000, 10);
  window.add(1);
  tell(window, 1);
  window.add(2);
  EXPECT_EQ(window.credit(2), 500U);
  tell(window, 2);
  // The third one finds no room, and may send the least.
  window.add(3);
  EXPECT_EQ(window.credit(3), 10U);
  tell(window, 3);
  // What was granted is not taken back, and the share of the first one shrinks as it sends.
  EXPECT_EQ(window.credit(1), 1000U);
  window.received(1, 600);
  EXPECT_EQ(window.credit(1), 1000U);
  EXPECT_EQ(window.credit(3), 333U);
  // A channel that goes gives back what it held.
  window.remove(1);
  EXPECT_EQ(window.credit(3), 500U);
  window.remove(3);
  EXPECT_EQ(window.credit(2), 1000U);
}

TEST(CreditWindow, WhereThereIsLittleRoomItIsToldOfEveryHalfBlock) {
  CreditWindow window(1000, 10);
  for (const ChannelId channel : {1, 2, 3}) {
    window.add(channel);
    tell(window, channel);
  }
  EXPECT_FALSE(window.should_tell(3));
  window.received(3, 4);
  EXPECT_FALSE(window.should_tell(3));
  window.received(3, 1);
  EXPECT_TRUE(window.should_tell(3));
  tell(window, 3);
  EXPECT_EQ(window.credit(3), 15U);
  EXPECT_FALSE(window.should_tell(3));
}

TEST(CreditWindow, NobodyIsToldTheSameTwice) {
  CreditWindow window(3, 1);
  window.add(1);
  EXPECT_TRUE(window.should_tell(1));
  tell(window, 1);
  EXPECT_FALSE(window.should_tell(1));
}

TEST(CreditWindow, TwiceTheWindowMayWait) {
  CreditWindow window(1000, 10);
  window.add(1);
  EXPECT_TRUE(window.allows(2000));
  EXPECT_FALSE(window.allows(2001));
  window.add(2);
  EXPECT_FALSE(window.allows(2001));
  // Where blocks are large, what peers may have been told of.
  window.resize(1000, 600);
  EXPECT_TRUE(window.allows(2700));
  EXPECT_FALSE(window.allows(2701));
}

TEST(CreditWindow, MayChange) {
  CreditWindow window(1000, 10);
  window.add(1);
  tell(window, 1);
  window.resize(100, 20);
  EXPECT_EQ(window.credit(1), 1000U);
  window.received(1, 1000);
  EXPECT_EQ(window.credit(1), 1100U);
  window.resize(2000, 20);
  EXPECT_EQ(window.credit(1), 3000U);
}

TEST(CreditWindow, ABlockFitsInTheSmallestWindow) {
  CreditWindow window(100, 500);
  window.add(1);
  window.add(2);
  EXPECT_EQ(window.credit(1), 500U);
  EXPECT_EQ(window.credit(2), 500U);
}

// Whatever comes and goes, the grants have their bound, none is taken back, and each channel can
// send a block when all it was told of has come.
TEST(CreditWindow, HoldsAtRandom) {
  constexpr std::uint64_t kWindow = 1000;
  constexpr std::uint64_t kLeast = 10;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    CreditWindow window(kWindow, kLeast);
    struct Known {
      std::uint64_t sent = 0;
      std::uint64_t told = 0;
    };
    std::map<ChannelId, Known> channels;
    for (int step = 0; step < 300; ++step) {
      const ChannelId channel = random() % 8;
      const auto known = channels.find(channel);
      if (known == channels.end()) {
        window.add(channel);
        channels.try_emplace(channel);
      } else if (random() % 10 == 0) {
        window.remove(channel);
        channels.erase(known);
        continue;
      } else {
        Known& sender = known->second;
        const std::uint64_t bytes = random() % (sender.told - sender.sent + 1);
        window.received(channel, bytes);
        sender.sent += bytes;
      }
      const std::uint64_t credit = window.credit(channel);
      Known& sender = channels[channel];
      ASSERT_GE(credit, sender.told);
      ASSERT_GE(credit, sender.sent + kLeast);
      if (window.should_tell(channel) || random() % 4 == 0) {
        window.told(channel, credit);
        sender.told = credit;
      }
      std::uint64_t outstanding = 0;
      for (const auto& [id, each] : channels) outstanding += each.told - each.sent;
      ASSERT_LE(outstanding, kWindow * 3 / 2 + channels.size() * kLeast);
    }
  }
}

}  // namespace
}  // namespace webrtcupload
