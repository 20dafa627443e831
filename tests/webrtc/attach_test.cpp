// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Start first, peer later: the property wait-for-peer and the action attach.

#include <gtest/gtest.h>

#include <string>

#include "webrtc/upload_witness.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

class Attach : public testing::Test {
 protected:
  // PAUSED is reached only with data; that the element has started is seen by attach().
  void start(const std::string& properties = "wait-for-peer=true") {
    receiver_ = std::make_unique<ReceivingPipeline>(nullptr, properties);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
    receiver_->play();
  }
  [[nodiscard]] bool attach(GstElement* webrtcbin) const {
    gboolean attached = FALSE;
    g_signal_emit_by_name(receiver_->upload(), "attach", webrtcbin, &attached);
    return attached;
  }

  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
};

TEST_F(Attach, APeerThatComesAfterTheStartUploads) {
  start();
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(attach(pair.answerer()));
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(100'000);
  ASSERT_TRUE(send_file(channel.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->state(), "done");
}

TEST_F(Attach, APeerThatLeavesBeforeItsUploadMakesRoomForAnother) {
  start("wait-for-peer=true idle-timeout=300000000");
  {
    PeerPair first({.observe_incoming = false});
    ASSERT_TRUE(attach(first.answerer()));
    ASSERT_TRUE(first.connect().channel);
    first.close_connection(Side::kOfferer);
  }
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto channel = second.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(50'000, 2);
  ASSERT_TRUE(send_file(channel.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(Attach, TheLastPeerAttachedIsTheOneThatCounts) {
  start();
  PeerPair first({.observe_incoming = false});
  ASSERT_TRUE(attach(first.answerer()));
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto wrong = first.connect();
  const auto right = second.connect();
  ASSERT_TRUE(wrong.channel && right.channel);
  ASSERT_TRUE(send_file(wrong.channel.get(), random_bytes(50'000, 3), 16'000));
  const Bytes file = random_bytes(50'000, 4);
  ASSERT_TRUE(send_file(right.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

TEST_F(Attach, AnUploadUnderWayIsNotTakenFromItsPeer) {
  start();
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(attach(pair.answerer()));
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(2'000);
  const auto chunks = cut(file, 1'000);
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 2, chunks[0]));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  PeerPair other({.observe_incoming = false});
  EXPECT_FALSE(attach(other.answerer()));
  ASSERT_TRUE(send_chunk(channel.channel.get(), 1, 2, chunks[1]));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

TEST_F(Attach, WhatCannotBeAttachedIsNot) {
  PeerPair pair({.observe_incoming = false});
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true");
  EXPECT_FALSE(attach(pair.answerer())) << "below PAUSED";
  receiver_->play();
  const GstPtr<GstElement> other = parse_pipeline("identity name=pc");
  EXPECT_FALSE(attach(other.get())) << "no webrtcbin";
  EXPECT_FALSE(attach(nullptr));
  EXPECT_TRUE(attach(pair.answerer()));
  receiver_ = std::make_unique<ReceivingPipeline>(pair.answerer());
  receiver_->play();
  EXPECT_FALSE(attach(pair.answerer())) << "without wait-for-peer";
}

TEST_F(Attach, WithoutItTheElementDoesNotStartWithNothingToReceiveFrom) {
  ReceivingPipeline pipeline(nullptr);
  gst_element_set_state(pipeline.pipeline(), GST_STATE_PLAYING);
  EXPECT_NE(pipeline.wait_error().message.find("wait-for-peer"), std::string::npos);
}

}  // namespace
}  // namespace webrtcupload::test
