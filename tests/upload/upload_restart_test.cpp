// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Elements that are started more than once, and more than one of them.

#include <gtest/gtest.h>

#include "upload/upload_teardown.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// more than once, and more than one

TEST_F(Teardown, TwiceTheSame) {
  make_receiver();
  connect("another");
  for (int round = 0; round < 2; ++round) {
    const Bytes file = random_bytes(300'000, static_cast<std::uint32_t>(round));
    const std::size_t before = receiver_->bytes().size();
    const std::size_t states_before = witness_->states().size();
    receiver_->play();
    EXPECT_EQ(receiver_->state(), "idle");
    EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
    const auto fresh = open_channel(*pair_);
    ASSERT_TRUE(fresh.channel);
    ASSERT_TRUE(send_file(fresh.channel.get(), file));
    ASSERT_TRUE(receiver_->wait_eos());
    const Bytes all = receiver_->bytes();
    EXPECT_EQ(Bytes(all.begin() + static_cast<std::ptrdiff_t>(before), all.end()), file);
    EXPECT_EQ(receiver_->state(), "done");
    EXPECT_EQ(receiver_->stat_u64("bytes"), file.size());
    EXPECT_EQ(witness_->completions(), round + 1);
    EXPECT_GT(witness_->states().size(), states_before);
    stop_silently();
    EXPECT_EQ(receiver_->state(), "done") << "of the last upload";
  }
}

TEST_F(Teardown, AFailedUploadAndThenAGoodOne) {
  make_receiver();
  receiver_->play();
  connect();
  cause_failure(channel());
  ASSERT_TRUE(witness_->wait_failed());
  ASSERT_EQ(receiver_->wait_error().code, "bad-index");
  stop_promptly(receiver_->pipeline());
  EXPECT_EQ(receiver_->state(), "error");
  receiver_->play();
  EXPECT_EQ(receiver_->state(), "idle");
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(fresh.channel.get(), file));
  ASSERT_TRUE(receiver_->bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
}

TEST_F(Teardown, TwoElementsOnOneWebrtcbinTakeAChannelEach) {
  ReceivingPipeline first(pair_->answerer());
  ReceivingPipeline second(pair_->answerer());
  first.play();
  second.play();
  connect();
  const auto other = open_channel(*pair_);
  ASSERT_TRUE(other.channel);
  const Bytes one = random_bytes(300'000, 1);
  const Bytes two = random_bytes(200'000, 2);
  ASSERT_TRUE(send_file(channel(), one));
  ASSERT_TRUE(send_file(other.channel.get(), two));
  ASSERT_TRUE(first.wait_eos());
  ASSERT_TRUE(second.wait_eos());
  // Which takes which is not promised.
  const bool in_order = first.bytes() == one;
  EXPECT_EQ(first.bytes(), in_order ? one : two);
  EXPECT_EQ(second.bytes(), in_order ? two : one);
}

TEST_F(Teardown, WebrtcbinByNameInTheSamePipeline) {
  GstElement* source = gst_element_factory_make("webrtcupload", nullptr);
  g_object_set(source, "webrtcbin-name", "pc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  pair_->add(Side::kAnswerer, source);
  pair_->add(Side::kAnswerer, sink);
  ASSERT_TRUE(gst_element_link(source, sink));
  UploadWitness witness(source);
  // The sink has no preroll before there is an upload, so PLAYING is not waited for.
  ASSERT_NE(gst_element_set_state(pair_->pipeline(Side::kAnswerer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  ASSERT_EQ(set_state(pair_->pipeline(Side::kOfferer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  channel_.channel = pair_->create_channel("video_upload");
  channel_.observer = std::make_shared<ChannelObserver>(channel());
  ASSERT_TRUE(pair_->negotiate());
  ASSERT_TRUE(channel_.observer->wait_open());
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(witness.wait_state("done"));
}

// The pipeline takes its own peer connection down; that is not the peer's doing.
TEST_F(Teardown, OnePipelineInTheMiddleOfAnUpload) {
  GstElement* source = gst_element_factory_make("webrtcupload", nullptr);
  g_object_set(source, "webrtcbin-name", "pc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  pair_->add(Side::kAnswerer, source);
  pair_->add(Side::kAnswerer, sink);
  ASSERT_TRUE(gst_element_link(source, sink));
  UploadWitness witness(source);
  ASSERT_NE(gst_element_set_state(pair_->pipeline(Side::kAnswerer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  ASSERT_EQ(set_state(pair_->pipeline(Side::kOfferer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  channel_.channel = pair_->create_channel("video_upload");
  channel_.observer = std::make_shared<ChannelObserver>(channel());
  ASSERT_TRUE(pair_->negotiate());
  ASSERT_TRUE(channel_.observer->wait_open());
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(witness.wait_state("uploading"));
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  EXPECT_TRUE(witness.failures().empty());
  EXPECT_EQ(pair_->bus(Side::kAnswerer).count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(Teardown, ChannelSetInsideOnDataChannelAndStartedLater) {
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr);
  witness_ = std::make_unique<UploadWitness>(upload());
  connections_.emplace_back(
      pair_->answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, GstElement** element) {
        g_object_set(*element, "data-channel", object, nullptr);
      }),
      upload());
  const auto [counting, arrived] = count_channels(pair_->answerer());
  connect();
  ASSERT_TRUE(arrived->wait(1));
  const Bytes file = random_bytes(3'000'000);
  ASSERT_TRUE(send_file(channel(), file));
  // All of it has arrived before the element starts, a keepalive behind it included.
  ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  ASSERT_TRUE(eventually([&] { return channel_.observer->buffered_amount() == 0; }, kDeadline));
  receiver_->play();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  // The keepalive comes back, whenever it was sent.
  EXPECT_TRUE(channel_.observer->wait_messages(1));
}

// What waits for the start is handled as if it had just come: errors close the channel, too.
TEST_F(Teardown, ABadMessageBeforeTheStart) {
  for (int round = 0; round < 5; ++round) {
    ReceivingPipeline receiver(nullptr);
    UploadWitness witness(receiver.upload());
    const SignalConnection connection(
        pair_->answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, GstElement** element) {
          g_object_set(*element, "data-channel", object, nullptr);
        }),
        receiver.upload());
    const auto [counting, arrived] = count_channels(pair_->answerer());
    if (round == 0) {
      connect();
    } else {
      channel_ = open_channel(*pair_);
      ASSERT_TRUE(channel_.channel);
    }
    ASSERT_TRUE(arrived->wait(1));
    cause_failure(channel());
    ASSERT_TRUE(eventually([&] { return channel_.observer->buffered_amount() == 0; }, kDeadline));
    receiver.play();
    EXPECT_EQ(receiver.wait_error().code, "bad-index");
    EXPECT_TRUE(channel_.observer->wait_closed());
  }
}

}  // namespace
}  // namespace webrtcupload::test
