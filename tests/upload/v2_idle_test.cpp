// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers of wire format v2 that do not begin, where the element waits for peers.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/v2_receiver.h"
#include "support/log.h"
#include "upload/v2_fixture.h"
#include "webrtc/forged_certificate.h"

namespace webrtcupload::test {
namespace {

class V2Idle : public V2Upload {
 protected:
  void wait_for_peers(const std::string& properties = "") {
    receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true " + properties);
    witness_ = std::make_unique<UploadWitness>(upload());
    receiver_->play();
  }
  // Silent channels, as many as there may be. The element has them all.
  std::vector<PeerPair::Channel> connect_all(PeerPair& pair) {
    std::vector<PeerPair::Channel> silent;
    silent.push_back(connect_v2(pair));
    while (silent.size() < kMaxStrangers) silent.push_back(open_v2(pair));
    for (const auto& each : silent) {
      EXPECT_TRUE(send_text(each.channel.get(), "."));
      EXPECT_TRUE(each.observer->wait_messages(1));
    }
    return silent;
  }
  void expect_upload_over(PeerPair& pair) {
    ASSERT_TRUE(attach(pair.answerer()));
    V2Client client(file_);
    client.add(connect_v2(pair));
    ASSERT_TRUE(client.run_to_end());
    expect_file();
    EXPECT_TRUE(witness_->failures().empty());
  }
};

TEST_F(V2Idle, WhoSpeaksAndDoesNotBeginHasTheIdleTimeOutAgainstIt) {
  wait_for_peers("idle-timeout=300000000");
  ASSERT_TRUE(attach(pair_.answerer()));
  channel_ = connect_v2(pair_);
  ASSERT_TRUE(send_text(channel(), R"({"type":"x"})"));
  expect_failure("idle-timeout", *channel_.observer);
}

TEST_F(V2Idle, AnotherPeerDoesNotPayForIt) {
  wait_for_peers("idle-timeout=60000000000");
  ASSERT_TRUE(attach(pair_.answerer()));
  channel_ = connect_v2(pair_);
  ASSERT_TRUE(send_text(channel(), R"({"type":"x"})"));
  ASSERT_TRUE(send_text(channel(), "."));
  ASSERT_TRUE(channel_.observer->wait_messages(1)) << "its keepalive comes back";
  PeerPair second({.observe_incoming = false});
  expect_upload_over(second);
  EXPECT_EQ(channel_.observer->message_count(), 1U);
}

// Each is closed, and takes nobody's place.
TEST_F(V2Idle, ManyUntrustedPeersLockNobodyOut) {
  if (webrtcbin_checks()) GTEST_SKIP() << "webrtcbin itself looks at it";
  wait_for_peers();
  PeerPair strange({.observe_incoming = false, .rewrite_offer = forged, .rewrite_answer = nullptr});
  ASSERT_TRUE(attach(strange.answerer()));
  auto stranger = connect_v2(strange);
  for (std::size_t i = 0; i <= kMaxStrangers; ++i) {
    if (i > 0) stranger = open_v2(strange);
    ASSERT_TRUE(say(stranger.channel.get(), hello_of(file_)));
    ASSERT_TRUE(stranger.observer->wait_closed()) << i;
    EXPECT_EQ(stranger.observer->message_count(), 0U);
  }
  expect_upload_over(pair_);
}

TEST_F(V2Idle, APeerThatIsReplacedHasNothingMoreToSay) {
  wait_for_peers();
  ASSERT_TRUE(attach(pair_.answerer()));
  const auto silent = connect_all(pair_);
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  ASSERT_TRUE(say(silent[0].channel.get(), hello_of(file_)));
  expect_upload_over(second);
  EXPECT_EQ(silent[0].observer->message_count(), 1U);
}

// The worker is busy, and finds the next peer's channel open before it hears that the former one's
// have gone.
TEST_F(V2Idle, NorDoTheChannelsOfOneThatIsBeingReplacedKeepOutTheNext) {
  const Log log(6);
  Blocker blocker;
  wait_for_peers();
  ASSERT_TRUE(attach(pair_.answerer()));
  const auto silent = connect_all(pair_);
  const AtALine busy("text message of 1 bytes", [&] { blocker.block(); });
  ASSERT_TRUE(send_text(silent[0].channel.get(), "."));
  ASSERT_TRUE(blocker.wait_blocked());
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  V2Client client(file_);
  client.add(connect_v2(second));
  const auto taken = [&] {
    return std::ranges::count_if(log.lines(), [](const std::string& line) {
      return line.ends_with("channel \"video_upload\" taken");
    });
  };
  ASSERT_TRUE(eventually([&] { return taken() > static_cast<int>(kMaxStrangers); }));
  blocker.release();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

TEST_F(V2Idle, NorDoesItKeepOutOneThatSpeaksV1) {
  wait_for_peers();
  ASSERT_TRUE(attach(pair_.answerer()));
  channel_ = connect_v2(pair_);
  ASSERT_TRUE(send_text(channel(), "."));
  ASSERT_TRUE(channel_.observer->wait_messages(1));
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto other = second.connect();
  ASSERT_TRUE(other.channel);
  ASSERT_TRUE(send_file(other.channel.get(), file_));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file_);
  EXPECT_EQ(stat_text("protocol"), "v1");
}

}  // namespace
}  // namespace webrtcupload::test
