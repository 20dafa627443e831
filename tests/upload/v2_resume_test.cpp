// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads in wire format v2 whose connections come and go.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "upload/v2_fixture.h"
#include "webrtc/forged_certificate.h"

namespace webrtcupload::test {
namespace {

constexpr std::uint64_t kHalf = 150'000;

class V2Resume : public V2Upload {
 protected:
  // Half of the file is stored.
  void send_half(const std::string& properties = "") {
    connect(properties);
    client_ = std::make_unique<V2Client>(file_, V2Client::Options{.first = kHalf});
    first_ = client_->add(channel_);
    ASSERT_TRUE(client_->run_until_stored(kHalf));
  }
  void lose_connection() {
    client_->lose(first_);
    pair_.close_connection(Side::kOfferer);
    ASSERT_TRUE(eventually([&] { return interrupted(); }, kDeadline));
  }

  std::unique_ptr<V2Client> client_;
  ChannelId first_ = 0;
};

TEST_F(V2Resume, OverAnotherChannelOfTheSameConnection) {
  send_half();
  client_->lose(first_);
  gst_webrtc_data_channel_close(channel());
  ASSERT_TRUE(eventually([&] { return interrupted(); }));
  EXPECT_EQ(receiver_->state(), "uploading");
  EXPECT_EQ(receiver_->stat_uint("connections"), 0U);
  client_->add(open_v2(pair_));
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  EXPECT_EQ(client_->sender().sent_bytes(), file_.size()) << "sent again what was stored";
  expect_file();
  EXPECT_FALSE(interrupted());
}

TEST_F(V2Resume, OverAnotherConnection) {
  send_half();
  lose_connection();
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  client_->add(connect_v2(second));
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  EXPECT_EQ(client_->done_sha256(), sha256_of(file_));
  EXPECT_EQ(client_->sender().sent_bytes(), file_.size()) << "sent again what was stored";
  expect_file();
  EXPECT_TRUE(witness_->failures().empty());
}

TEST_F(V2Resume, WithWaitForPeerToo) {
  PeerPair first({.observe_incoming = false});
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true");
  witness_ = std::make_unique<UploadWitness>(upload());
  receiver_->play();
  ASSERT_TRUE(attach(first.answerer()));
  client_ = std::make_unique<V2Client>(file_, V2Client::Options{.first = kHalf});
  first_ = client_->add(connect_v2(first));
  ASSERT_TRUE(client_->run_until_stored(kHalf));
  client_->lose(first_);
  first.close_connection(Side::kOfferer);
  ASSERT_TRUE(eventually([&] { return interrupted(); }, kDeadline));
  ASSERT_TRUE(attach(pair_.answerer()));
  client_->add(connect_v2(pair_));
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

TEST_F(V2Resume, AgainAndAgain) {
  send_half();
  ChannelId id = first_;
  for (int i = 0; i < 3; ++i) {
    client_->lose(id);
    gst_webrtc_data_channel_close(channel());
    ASSERT_TRUE(eventually([&] { return interrupted(); }));
    channel_ = open_v2(pair_);
    id = client_->add(channel_);
    ASSERT_TRUE(client_->run([&] { return client_->sender().connections() == 1; }));
  }
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

TEST_F(V2Resume, WhoDoesNotComeBackHasFailedAfterItsTimeAndNotBefore) {
  send_half("resume-timeout=300000000");
  const auto begin = std::chrono::steady_clock::now();
  client_->lose(first_);
  pair_.close_connection(Side::kOfferer);
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_NE(error.message.find("0.3 s"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("150000 of 300000 bytes"), std::string::npos) << error.message;
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
}

TEST_F(V2Resume, WithoutATimeForItItFailsAtOnce) {
  send_half("resume-timeout=0");
  client_->lose(first_);
  pair_.close_connection(Side::kOfferer);
  EXPECT_EQ(receiver_->wait_error().code, "peer-gone");
}

// Its channel and its hello are there in time, and the worker is with the application.
TEST_F(V2Resume, WhoComesBackWhileTheApplicationIsAskedIsNotGivenUp) {
  send_half("resume-timeout=1000000000 quota-interval=50000000");
  Blocker blocker;
  std::atomic<bool> thinks = false;
  const auto handler = on_check_quota(upload(), [&] {
    if (thinks) blocker.block();
    return true;
  });
  client_->lose(first_);
  gst_webrtc_data_channel_close(channel());
  ASSERT_TRUE(eventually([&] { return interrupted(); }));
  const auto begin = std::chrono::steady_clock::now();
  thinks = true;
  ASSERT_TRUE(blocker.wait_blocked());
  client_->add(open_v2(pair_));
  ASSERT_TRUE(client_->run(
      [&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(1200); }));
  blocker.release();
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

TEST_F(V2Resume, AStrangerDoesNotGetIn) {
  send_half();
  lose_connection();
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto strange = connect_v2(second);
  control::Hello hello = hello_of(file_);
  hello.upload = UploadId::parse("00000000000000000000000000000000");
  ASSERT_TRUE(say(strange.channel.get(), hello));
  const auto told = wait_for<control::Failure>(*strange.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "unknown-upload");
  EXPECT_TRUE(strange.observer->wait_closed());
  client_->add(open_v2(second));
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

// It knows the id, and is not who its description says all the same.
TEST_F(V2Resume, AnUntrustedConnectionCostsTheUploadNothing) {
  if (webrtcbin_checks()) GTEST_SKIP() << "webrtcbin itself looks at it";
  send_half();
  PeerPair second({.observe_incoming = false, .rewrite_offer = forged, .rewrite_answer = nullptr});
  ASSERT_TRUE(attach(second.answerer()));
  const auto strange = connect_v2(second);
  control::Hello hello = hello_of(file_);
  hello.upload = client_->sender().id();
  ASSERT_TRUE(say(strange.channel.get(), hello));
  EXPECT_TRUE(strange.observer->wait_closed());
  EXPECT_EQ(strange.observer->message_count(), 0U);
  EXPECT_EQ(receiver_->stat_uint("connections"), 1U);
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

TEST_F(V2Resume, TwoConnectionsCarryOneUpload) {
  file_ = random_bytes(4'000'000);
  connect("window=262144");
  V2Client client(file_, {.first = kHalf});
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(kHalf));
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto other = connect_v2(second);
  client.add(other);
  ASSERT_TRUE(client.run([&] { return client.sender().connections() == 2; }));
  EXPECT_EQ(receiver_->stat_uint("connections"), 2U);
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
  // Each had its part.
  const auto first = last_of<control::Ack>(*channel_.observer);
  const auto last = last_of<control::Ack>(*other.observer);
  ASSERT_TRUE(first && last);
  EXPECT_GT(first->received, kHalf);
  EXPECT_GT(last->received, 0U);
  EXPECT_EQ(first->received + last->received, file_.size());
}

TEST_F(V2Resume, OfTwoConnectionsOneIsEnough) {
  file_ = random_bytes(4'000'000);
  connect("window=262144");
  V2Client client(file_, {.first = kHalf});
  const ChannelId first = client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(kHalf));
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  client.add(connect_v2(second));
  ASSERT_TRUE(client.run([&] { return client.sender().connections() == 2; }));
  client.send_all();
  ASSERT_TRUE(client.run_until_stored(1'000'000));
  client.lose(first);
  pair_.close_connection(Side::kOfferer);
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

TEST_F(V2Resume, MoreConnectionsThanAllowedCostTheQuietestItsPlace) {
  send_half("max-connections=1");
  const auto other = open_v2(pair_);
  client_->add(other);
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "too-many-channels");
}

TEST_F(V2Resume, WhatCannotBeAttachedIsNot) {
  PeerPair second({.observe_incoming = false});
  connect();
  EXPECT_FALSE(attach(second.answerer())) << "nothing has begun, and it waits for nobody";
  ASSERT_TRUE(say(channel(), hello_of(file_)));
  ASSERT_TRUE(wait_for<control::Ready>(*channel_.observer));
  EXPECT_TRUE(attach(second.answerer()));
}

}  // namespace
}  // namespace webrtcupload::test
