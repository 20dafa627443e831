// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink to webrtcupload in wire format v2 over several connections.

#include "sending/sink_v2_connections.h"

#include <gtest/gtest.h>

#include "webrtc/forged_certificate.h"

namespace webrtcupload::test {
namespace {

TEST_F(SinkV2Connections, TwoAndFourCarryOneFile) {
  // Small windows, so that no connection takes all of it alone.
  ASSERT_NO_FATAL_FAILURE(begin(file_.size(), "window=400000"));
  for (guint number = 2; number <= 4; ++number) {
    ASSERT_NO_FATAL_FAILURE(join(add_pair()));
    EXPECT_EQ(connections(), number);
    push(1'000'000);
  }
  push_all();
  expect_file();
  EXPECT_EQ(stat("sent"), file_.size());
  EXPECT_EQ(count_news("ready"), 1);
  EXPECT_EQ(count_news("connection-lost"), 0);
  EXPECT_GT(stat("waited-for-credit"), 0U);
}

TEST_F(SinkV2Connections, WhatTheReceiverSaysOfItselfIsTold) {
  PeerPair& pair = add_pair();
  ASSERT_TRUE(pair.start());
  receiver_ = std::make_unique<ReceivingPipeline>(pair.answerer(),
                                                  "max-connections=3 resume-timeout=7000000000");
  receiver_->play();
  g_object_set(upload_.sink(), "webrtcbin", pair.offerer(), "protocol", 2, nullptr);
  upload_.play();
  EXPECT_EQ(stat_uint(upload_.sink(), "max-connections"), 0U) << "not known yet";
  ASSERT_TRUE(pair.negotiate());
  push_all();
  const auto ready = wait_news("ready");
  ASSERT_TRUE(ready);
  guint connections = 0;
  guint64 time = 0;
  const GstStructure* structure = gst_message_get_structure(ready.get());
  EXPECT_TRUE(gst_structure_get_uint(structure, "max-connections", &connections));
  EXPECT_TRUE(gst_structure_get_uint64(structure, "resume-timeout", &time));
  EXPECT_EQ(connections, 3U);
  EXPECT_EQ(time, 7 * GST_SECOND);
  expect_file();
  EXPECT_EQ(stat_uint(upload_.sink(), "max-connections"), 3U);
  const guint64 round_trip = stat("round-trip");
  EXPECT_GT(round_trip, 0U);
  EXPECT_LT(round_trip, kPrompt.count() * GST_SECOND);
}

TEST_F(SinkV2Connections, OneIsLostWithBytesUnderWay) {
  ASSERT_NO_FATAL_FAILURE(begin(0));
  PeerPair& second = add_pair();
  ASSERT_NO_FATAL_FAILURE(join(second));
  // What goes over the first connection from now on does not arrive.
  const auto gate = ReceiveGate::find(pairs_[0]->answerer());
  ASSERT_TRUE(gate);
  gate->close();
  push(1'000'000);
  // All but what is less than a block.
  ASSERT_TRUE(eventually([&] { return stat("sent") > pushed_ - kChunk; }, kDeadline));
  ASSERT_LT(receiver_->stat_u64("bytes"), pushed_);
  pairs_[0]->close_connection(Side::kAnswerer);
  push_all();
  const auto lost = wait_news("connection-lost");
  ASSERT_TRUE(lost);
  const GstStructure* structure = gst_message_get_structure(lost.get());
  GstElement* raw = nullptr;
  guint remaining = 0;
  EXPECT_TRUE(gst_structure_get(structure, "webrtcbin", GST_TYPE_ELEMENT, &raw, "remaining",
                                G_TYPE_UINT, &remaining, nullptr));
  const GstPtr<GstElement> webrtcbin(raw);
  EXPECT_EQ(webrtcbin.get(), pairs_[0]->offerer());
  EXPECT_EQ(remaining, 1U);
  EXPECT_STRNE(gst_structure_get_string(structure, "reason"), "");
  expect_file();
  EXPECT_GT(stat("sent"), file_.size()) << "nothing was sent again";
  EXPECT_LE(stat("sent"), file_.size() + 1'000'000);
  EXPECT_EQ(count_news("interrupted"), 0);
  EXPECT_EQ(connections(), 0U) << "all are let go of at the end";
}

TEST_F(SinkV2Connections, BothAreLostAtOnceAndAnotherOneComes) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size(), "", 60 * GST_SECOND));
  ASSERT_NO_FATAL_FAILURE(join(add_pair()));
  std::vector<std::unique_ptr<ReceiveGate>> gates;
  for (const auto& pair : pairs_) {
    gates.push_back(ReceiveGate::find(pair->answerer()));
    ASSERT_TRUE(gates.back());
    gates.back()->close();
  }
  push(1'000'000);
  ASSERT_TRUE(eventually([&] { return stat("sent") >= pushed_ - 2 * kChunk; }, kDeadline));
  for (const auto& pair : pairs_) pair->close_connection(Side::kAnswerer);
  push_all();
  const auto interrupted = wait_news("interrupted");
  ASSERT_TRUE(interrupted);
  guint64 time = 0;
  EXPECT_TRUE(gst_structure_get_uint64(gst_message_get_structure(interrupted.get()),
                                       "resume-timeout", &time));
  EXPECT_EQ(time, 60 * GST_SECOND);
  ASSERT_NO_FATAL_FAILURE(attach(add_pair()));
  const auto resumed = wait_news("resumed");
  ASSERT_TRUE(resumed);
  guint64 stored = 0;
  EXPECT_TRUE(
      gst_structure_get_uint64(gst_message_get_structure(resumed.get()), "stored", &stored));
  EXPECT_LT(stored, file_.size());
  expect_file();
  EXPECT_GT(stat("sent"), file_.size()) << "nothing was sent again";
  EXPECT_LE(stat("sent"), file_.size() + 1'000'000 + 2 * kChunk);
  EXPECT_EQ(count_news("connection-lost"), 2);
  EXPECT_EQ(count_news("interrupted"), 1);
}

TEST_F(SinkV2Connections, WhoIsAttachedToNoUploadIsNot) {
  PeerPair& pair = add_pair();
  ASSERT_TRUE(pair.start());
  EXPECT_FALSE(attach_to(upload_.sink(), pair.offerer())) << "not started";
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  EXPECT_FALSE(attach_to(upload_.sink(), nullptr));
  const GstPtr<GstElement> other = parse_pipeline("identity name=pc");
  EXPECT_FALSE(attach_to(upload_.sink(), other.get())) << "no webrtcbin";
  PeerPair& stopped = add_pair();
  EXPECT_FALSE(attach_to(upload_.sink(), stopped.offerer())) << "in NULL";
  push_all();
  expect_file();
  EXPECT_FALSE(attach_to(upload_.sink(), pair.offerer())) << "complete";
  stop_promptly(upload_.pipeline());
  EXPECT_FALSE(attach_to(upload_.sink(), pair.offerer())) << "stopped";
}

}  // namespace
}  // namespace webrtcupload::test
