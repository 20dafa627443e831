// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The element is stopped at every moment of an upload, and by everybody.

#include "upload/upload_teardown.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// at every moment

TEST_F(Teardown, BeforeThePeersMeet) {
  make_receiver();
  receiver_->play();
  stop_silently();
  connect("another");
  expect_next_upload_works();
}

TEST_F(Teardown, WaitingForAChannel) {
  make_receiver();
  receiver_->play();
  connect("another");
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, ChannelOpenWithoutAChunk) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, InTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_silently();
  EXPECT_EQ(receiver_->stat_u64("bytes"), 1000U) << "of the last upload";
  EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender sends on to nobody";
  expect_next_upload_works();
}

TEST_F(Teardown, AtFullSpeedWithThePeerHeldBack) {
  ASSERT_NO_FATAL_FAILURE(upload_until_held_back());
  stop_silently();
  // The gate is open again, or nothing would ever arrive.
  expect_next_upload_works();
}

TEST_F(Teardown, WebrtcbinFirstWithThePeerHeldBack) {
  ASSERT_NO_FATAL_FAILURE(upload_until_held_back());
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, WebrtcbinFirstInTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, WebrtcbinSecondInTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_silently();
  stop_promptly(pair_->pipeline(Side::kAnswerer));
}

TEST_F(Teardown, PeerGone) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  pair_->close_connection(Side::kOfferer);
  ASSERT_TRUE(witness_->wait_failed());
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, CompleteAndNotRead) {
  make_receiver();
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1'000'000)));
  ASSERT_TRUE(witness_->wait_complete());
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, AChannelSetAndNeverUsed) {
  GstPtr<GstElement> element(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("webrtcupload", nullptr))));
  connect("another");
  const auto far = pair_->create_channel("video_upload", Side::kAnswerer);
  ASSERT_TRUE(far);
  g_object_set(element.get(), "data-channel", far.get(), nullptr);
  element.reset();
}

// -------------------------------------------------------------------------------------------------
// at any moment

// A connection for each round, since webrtcbin 1.22 mixes up channels that are closed and opened in
// such quick succession. The element stays the same.
TEST_F(Teardown, AtRandomMoments) {
  constexpr int kRounds = 30;
  std::mt19937 random(20);
  make_receiver("idle-timeout=0 quota-interval=1000000");
  connections_.push_back(on_check_quota(upload(), [] { return true; }));
  const auto chunks = cut(random_bytes(2'000'000), 20'000);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  for (int round = 0; round < kRounds; ++round) {
    PeerPair pair({.observe_incoming = false});
    g_object_set(upload(), "webrtcbin", pair.answerer(), nullptr);
    receiver_->play();
    const auto fresh = pair.connect();
    ASSERT_TRUE(fresh.channel);
    // After some chunk was sent or some was received, whichever the dice say; also beyond the end.
    const auto stop_at = std::min<std::uint32_t>(total, random() % (total + 20));
    const bool when_received = random() % 2 == 0;
    const auto first = static_cast<PeerPair::Side>(random() % 2);
    const auto last = random() % 4;
    for (std::uint32_t i = 0; i < stop_at; ++i) {
      ASSERT_TRUE(send_chunk(fresh.channel.get(), i, total, chunks[i]));
    }
    if (when_received) {
      EXPECT_TRUE(eventually([&] { return receiver_->stat_uint("chunks-received") >= stop_at / 2; },
                             kDeadline));
    }
    if (last == 0) gst_webrtc_data_channel_close(fresh.channel.get());
    if (last == 1) pair.stop(first);
    stop_promptly(receiver_->pipeline());
    expect_no_spool_file();
    g_object_set(upload(), "webrtcbin", nullptr, nullptr);
  }
}

}  // namespace
}  // namespace webrtcupload::test
