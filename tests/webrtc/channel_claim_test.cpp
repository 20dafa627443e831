// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A webrtcupload and a webrtcresultsink that are told the same channel: one of them takes it.

#include <gtest/gtest.h>

#include <string>

#include "results/result_pipeline.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

TEST(ChannelClaim, TheUploadsChannelIsNotTakenForResults) {
  PeerPair pair;
  const auto near = pair.connect();
  ASSERT_TRUE(near.channel);
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  ReceivingPipeline receiver(nullptr);
  g_object_set(receiver.upload(), "data-channel", far->channel(), nullptr);
  {
    ResultPipeline refused;
    g_object_set(refused.sink(), "data-channel", far->channel(), nullptr);
    EXPECT_EQ(refused.play(), GST_STATE_CHANGE_FAILURE);
    const auto error = refused.bus().wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_EQ(error_text(error.get()).message,
              "The data channel that was set is used by another element.");
  }
  // Nothing of the attempt is left.
  receiver.play();
  const Bytes file = random_bytes(50'000);
  ASSERT_TRUE(send_file(near.channel.get(), file));
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
}

TEST(ChannelClaim, TheResultsChannelIsNotTakenForAnUpload) {
  PeerPair pair;
  const auto near = pair.connect();
  ASSERT_TRUE(near.channel);
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  ResultPipeline results;
  g_object_set(results.sink(), "data-channel", far->channel(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  {
    ReceivingPipeline refused(nullptr);
    g_object_set(refused.upload(), "data-channel", far->channel(), nullptr);
    EXPECT_EQ(gst_element_set_state(refused.pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_FAILURE);
    const auto error = refused.bus().wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_EQ(error_text(error.get()).message, "Another element uses this data channel already.");
  }
  results.push("for the peer");
  EXPECT_TRUE(near.observer->wait_messages(1));
}

TEST(ChannelClaim, OneOfTwoWithTheSameLabelTakesTheChannel) {
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(pair.start());
  ReceivingPipeline receiver(pair.answerer());
  const UploadWitness witness(receiver.upload());
  receiver.play();
  // The upload's handler came first. This one waits for its channel as little as can be.
  ResultPipeline results("channel-label=video_upload channel-timeout=1");
  g_object_set(results.sink(), "webrtcbin", pair.answerer(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  const auto near = pair.create_channel("video_upload");
  const ChannelObserver observer(near.get());
  ASSERT_TRUE(pair.negotiate());
  ASSERT_TRUE(observer.wait_open());
  const Bytes file = random_bytes(2'000);
  const auto chunks = cut(file, 1'000);
  ASSERT_TRUE(send_chunk(near.get(), 0, 2, chunks[0]));
  // So the channel was offered to both.
  ASSERT_TRUE(witness.wait_state("uploading"));

  results.push("not for this channel");
  EXPECT_TRUE(eventually([&] { return results.stat("dropped") + results.stat("sent") == 1; }));
  EXPECT_EQ(results.stat("sent"), 0U);
  ASSERT_TRUE(send_chunk(near.get(), 1, 2, chunks[1]));
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  EXPECT_EQ(observer.message_count(), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
