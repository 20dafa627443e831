// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The pair of peers that the other tests here stand on.

#include "support/peer_pair.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <string>

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

TEST(PeerPair, CarriesMessagesBothWays) {
  PeerPair pair;
  const auto [channel, observer] = pair.connect("video_upload");
  ASSERT_TRUE(channel);
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  EXPECT_EQ(far->label(), "video_upload");

  const Bytes bytes = random_bytes(65536);
  ASSERT_TRUE(send_bytes(channel.get(), bytes));
  ASSERT_TRUE(send_text(channel.get(), "text"));
  ASSERT_TRUE(far->wait_messages(2));
  EXPECT_EQ(far->messages()[0].bytes, bytes);
  EXPECT_FALSE(far->messages()[0].is_text);
  EXPECT_TRUE(far->messages()[1].is_text);

  ASSERT_TRUE(send_text(far->channel(), "back"));
  ASSERT_TRUE(observer->wait_messages(1));
}

TEST(PeerPair, EchoesKeepalives) {
  PeerPair pair;
  const auto [channel, observer] = pair.connect();
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  far->set_echo(true);
  ASSERT_TRUE(send_bytes(channel.get(), Bytes{42}));
  ASSERT_TRUE(observer->wait_messages(1));
  EXPECT_EQ(observer->messages()[0].bytes, Bytes{42});
}

TEST(PeerPair, ClosingAChannelIsSeenOnTheOtherSide) {
  PeerPair pair;
  const auto [channel, observer] = pair.connect();
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  ASSERT_TRUE(far->wait_open());
  gst_webrtc_data_channel_close(channel.get());
  EXPECT_TRUE(far->wait_closed());
  EXPECT_TRUE(observer->wait_closed());
}

TEST(PeerPair, HasNothingToCloseBeforeItIsConnected) {
  PeerPair pair({.rewrite_answer = [](const std::string&) { return std::string(); }});
  ASSERT_TRUE(pair.start());
  ASSERT_TRUE(pair.create_channel("video_upload"));
  ASSERT_FALSE(pair.negotiate()) << "the answer is lost";
  EXPECT_NONFATAL_FAILURE(pair.close_connection(Side::kOfferer), "no connection to close");
}

TEST(PeerPair, LeavesNoDescriptorBehind) {
  // The first pair opens what the process then keeps (GLib's worker thread and the like).
  { PeerPair().connect(); }
  const FdGuard descriptors;
  { PeerPair().connect(); }
  descriptors.expect_none_new();
}

}  // namespace
}  // namespace webrtcupload::test
