// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Elements that were given a data channel and nothing else, by an application that drops its
// webrtcbin. A channel that is closed, or sends, uses its webrtcbin, up to 1.22 by a pointer that
// nothing keeps valid.

#include "webrtc/channel_alone.h"

#include <gmock/gmock.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "results/result_pipeline.h"
#include "sending/sink_fixture.h"
#include "sending/stop_that_fails.h"
#include "support/log.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"
#include "webrtc/channel_owner.h"
#include "webrtc/channel_sending.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"

namespace webrtcupload::test {
namespace {

TEST(AChannelAlone, IsKnownToBelongToTheWebrtcbinThatMadeIt) {
  watch_channel_owners();
  ChannelAlone channel;
  EXPECT_EQ(owner_of(channel.get()).webrtcbin.get(), channel.webrtcbin());
  channel.drop_webrtcbin();
  EXPECT_TRUE(owner_of(channel.get()).has_gone());
}

TEST(AChannelAlone, HasNoPeerToTrustWhenItsWebrtcbinHasGone) {
  watch_channel_owners();
  ChannelAlone channel;
  const ChannelAlone other;
  EXPECT_EQ(peer_trust(channel.get(), nullptr), PeerTrust::kTrusted)
      << "nobody has described a peer";
  channel.drop_webrtcbin();
  EXPECT_EQ(peer_trust(channel.get(), nullptr), PeerTrust::kWebrtcbinHasGone);
  EXPECT_EQ(peer_trust(channel.get(), other.webrtcbin()), PeerTrust::kWebrtcbinHasGone);
}

TEST(AChannelAlone, IsNotUsedWhenItsWebrtcbinHasGone) {
  watch_channel_owners();
  ChannelAlone channel;
  channel.open();
  channel.drop_webrtcbin();
  std::string problem;
  EXPECT_FALSE(send_on(channel.get(), {1, 2, 3}, &problem));
  EXPECT_EQ(problem, "the webrtcbin of the data channel has gone");
  problem.clear();
  EXPECT_FALSE(send_text_on(channel.get(), "123", &problem));
  EXPECT_EQ(problem, "the webrtcbin of the data channel has gone");
  close_channel(channel.get());
  channel.expect_untouched();
}

// 1.22 would never free the message. (What the test's end says of leaks counts.)
TEST(AChannelAlone, IsGivenNoMessageBeforeItIsOpen) {
  ChannelAlone channel;
  std::string problem;
  EXPECT_FALSE(send_on(channel.get(), {1, 2, 3}, &problem));
  EXPECT_EQ(problem, "the data channel is not open");
  EXPECT_FALSE(send_text_on(channel.get(), "123", &problem));
  EXPECT_FALSE(send_on(channel.get(), {1, 2, 3}));
}

TEST(AChannelAlone, CarriesNoUploadWhenItsWebrtcbinHasGone) {
  Upload upload;
  ChannelAlone channel;
  channel.give_to(upload.sink());
  channel.drop_webrtcbin();
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_NE(error.message.find("the webrtcbin of the data channel has gone"), std::string::npos)
      << error.message;
  stop_promptly(upload.pipeline());
  channel.expect_untouched();
}

// A webrtcbin may go while a sink waits for it, of which the channel itself says nothing.

TEST(AChannelAlone, FailsAnUploadThatWaitsForItToOpen) {
  Upload upload;
  ChannelAlone channel;
  g_object_set(upload.sink(), "data-channel", channel.get(), nullptr);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  const auto started = upload.bus().wait(GST_MESSAGE_PROGRESS);
  ASSERT_TRUE(started);
  channel.drop_webrtcbin();
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
}

TEST(AChannelAlone, EndsResultsThatWaitForItToOpen) {
  ResultPipeline results;
  ChannelAlone channel;
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  results.push("for nobody");
  channel.drop_webrtcbin();
  const auto warning = results.bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_EQ(error_text(warning.get()).code, "peer-gone");
  results.stop();
}

TEST(AChannelAlone, EndsTheEndOfResultsThatWaitsForItToOpen) {
  ResultPipeline results("channel-timeout=60000000000");
  ChannelAlone channel;
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  results.end();
  channel.drop_webrtcbin();
  const auto delivered = results.bus().wait(GST_MESSAGE_ELEMENT);
  ASSERT_TRUE(delivered);
  EXPECT_STREQ(
      gst_structure_get_string(gst_message_get_structure(delivered.get()), "error-message"),
      "the webrtcbin of the data channel has gone");
  results.stop();
}

TEST(AChannelAlone, IsLeftAloneWhenAnUploadIsStopped) {
  Upload upload;
  ChannelAlone channel;
  channel.give_to(upload.sink());
  upload.play();
  channel.drop_webrtcbin();
  stop_promptly(upload.pipeline());
  channel.expect_untouched();
}

TEST(AChannelAlone, CarriesNoResultsWhenItsWebrtcbinHasGone) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.give_to(results.sink());
  channel.drop_webrtcbin();
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  results.push("for nobody");
  const auto warning = results.bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_EQ(error_text(warning.get()).code, "peer-gone");
  EXPECT_EQ(error_text(warning.get()).message,
            "No more results are sent: the webrtcbin of the data channel has gone.");
  EXPECT_EQ(results.stat("sent"), 0U);
  results.stop();
  channel.expect_untouched();
}

// The completion is the first message then.
TEST(AChannelAlone, IsToldNoEndWhenItsWebrtcbinHasGone) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.give_to(results.sink());
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  channel.drop_webrtcbin();
  results.end();
  EXPECT_TRUE(results.bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(results.stat("messages"), 0U);
  results.stop();
  channel.expect_untouched();
}

TEST(AChannelAlone, IsToldNothingWhenResultsAreStopped) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.give_to(results.sink());
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  channel.drop_webrtcbin();
  results.stop();
  channel.expect_untouched();
}

// Both sinks play alone, in pipelines whose own state says that they are down.

TEST(AChannelAlone, ThatEndsFailsAnUploadWhosePipelineNeverStarted) {
  Upload upload;
  ChannelAlone channel;
  g_object_set(upload.sink(), "data-channel", channel.get(), nullptr);
  upload.announce(3);
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  ASSERT_NE(gst_element_set_state(upload.sink(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  ASSERT_NE(gst_element_set_state(upload.source(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  upload.push(Bytes{1, 2, 3});
  channel.close();
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
}

TEST(AChannelAlone, ThatEndsIsToldWithResultsWhosePipelineNeverStarted) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.give_to(results.sink());
  const GstPtr<GstObject> pipeline(gst_object_get_parent(GST_OBJECT(results.sink())));
  ASSERT_EQ(set_state(GST_ELEMENT(pipeline.get()), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  ASSERT_EQ(set_state(results.sink(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  channel.close();
  const auto warning = results.bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_EQ(error_text(warning.get()).code, "peer-gone");
  results.stop();
}

// Where the pipeline comes to its end: with the sink of ours still in PLAYING, or in PAUSED.
class WhilePipelineCannotStop : public testing::TestWithParam<const char*> {};

TEST_P(WhilePipelineCannotStop, AChannelThatEndsFailsAnUploadOnce) {
  const Log log;
  Upload upload;
  StopThatFails stop(upload.pipeline(), GetParam());
  ChannelAlone channel;
  g_object_set(upload.sink(), "data-channel", channel.get(), nullptr);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  ASSERT_TRUE(upload.bus().wait(GST_MESSAGE_PROGRESS)) << "it waits for the channel to open";
  stop.begin();
  channel.close();
  EXPECT_TRUE(log.says({"webrtcuploadsink", "while the pipeline shuts down"}));
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  stop.fail();
  EXPECT_EQ(gst_element_set_state(upload.pipeline(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  const auto is_gone = [](GstMessage* message) { return error_text(message).code == "peer-gone"; };
  EXPECT_TRUE(upload.bus().wait(GST_MESSAGE_ERROR, is_gone));
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_ERROR);
  gst_element_set_state(upload.sink(), GST_STATE_NULL);
  const auto errors = upload.bus().all(GST_MESSAGE_ERROR);
  EXPECT_EQ(std::count_if(errors.begin(), errors.end(),
                          [&](const auto& message) { return is_gone(message.get()); }),
            1);
}

TEST_P(WhilePipelineCannotStop, AChannelThatEndsIsToldWithResultsOnce) {
  const Log log;
  ResultPipeline results;
  StopThatFails stop(results.pipeline(), GetParam());
  ChannelAlone channel;
  channel.give_to(results.sink());
  ASSERT_EQ(results.play(), GST_STATE_CHANGE_SUCCESS);
  stop.begin();
  channel.close();
  EXPECT_TRUE(log.says({"results", "the peer's end is not told while the pipeline shuts down"}));
  EXPECT_EQ(results.bus().count(GST_MESSAGE_WARNING), 0U);
  stop.fail();
  ASSERT_EQ(results.play(), GST_STATE_CHANGE_SUCCESS);
  const auto warning = results.bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_EQ(error_text(warning.get()).code, "peer-gone");
  gst_element_set_state(results.sink(), GST_STATE_NULL);
  EXPECT_EQ(results.bus().count(GST_MESSAGE_WARNING), 1U);
}

INSTANTIATE_TEST_SUITE_P(Each, WhilePipelineCannotStop,
                         testing::Values("playing-to-paused", "paused-to-ready"));

// An application that has set the channel only, and drops its webrtcbin. Up to 1.22 to answer a
// keepalive after that, or to close the channel at a time-out, is to use what has gone.
TEST(AChannelAlone, IsLeftAloneWhenItsWebrtcbinHasGone) {
  ReceivingPipeline receiver(
      nullptr,
      short_timeout("idle-timeout", std::chrono::milliseconds(200)) + " check-certificate=false");
  UploadWitness witness(receiver.upload());
  ChannelAlone channel("video_upload");
  channel.give_to(receiver.upload());
  channel.drop_webrtcbin();

  receiver.play();
  channel.receive({1});
  channel.receive({0, 0, 0, 0, 2, 0, 0, 0, 'x'});
  EXPECT_EQ(receiver.wait_error().code, "idle-timeout");
  EXPECT_TRUE(witness.wait_failed());
  EXPECT_EQ(receiver.stat_u64("keepalives"), 1U);
  channel.expect_untouched();
}

// Nobody can say any more whose it is.
TEST(AChannelAlone, BringsNothingThatCountsWhenItsWebrtcbinHasGone) {
  ReceivingPipeline receiver(nullptr);
  UploadWitness witness(receiver.upload());
  ChannelAlone channel("video_upload");
  channel.give_to(receiver.upload());
  // A complete upload in one message.
  channel.receive({0, 0, 0, 0, 1, 0, 0, 0, 'x'});
  channel.drop_webrtcbin();

  receiver.play();
  const ErrorText error = receiver.wait_error();
  EXPECT_EQ(error.code, "untrusted-peer");
  EXPECT_THAT(error.message, testing::HasSubstr("cannot be compared: the webrtcbin of the data "
                                                "channel has gone"));
  EXPECT_TRUE(witness.wait_failed());
  EXPECT_EQ(witness.completions(), 0);
  EXPECT_EQ(receiver.stat_u64("bytes"), 0U);
  channel.expect_untouched();
}

// Who was found to be the right peer stays it.
TEST(AChannelAlone, IsStillTrustedAtTheNextStart) {
  ReceivingPipeline receiver(nullptr);
  ChannelAlone channel("video_upload");
  channel.give_to(receiver.upload());
  receiver.play();
  channel.receive({0, 0, 0, 0, 2, 0, 0, 0, 'x'});
  ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == 1; }));
  EXPECT_EQ(set_state(receiver.pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  channel.receive({1, 0, 0, 0, 2, 0, 0, 0, 'y'});
  channel.drop_webrtcbin();

  receiver.play();
  EXPECT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), (Bytes{'x', 'y'}));
  stop_promptly(receiver.pipeline());
}

// An upload that takes what a channel brings, though nobody is at its other end.
class AChannelThatEnds : public testing::Test {
 protected:
  void use(const std::string& tail = ReceivingPipeline::kCollectBytes) {
    receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "idle-timeout=0", tail);
    channel_.give_to(receiver_->upload());
  }
  void use_with_a_sink_that_cannot_stop() {
    use("fakesink name=sink async=false state-error=paused-to-ready");
  }
  // So that it can be freed.
  void TearDown() override {
    gst_util_set_object_arg(G_OBJECT(sink().get()), "state-error", "none");
  }
  [[nodiscard]] GstPtr<GstElement> sink() const {
    return GstPtr<GstElement>(gst_bin_get_by_name(GST_BIN(receiver_->pipeline()), "sink"));
  }
  // Beside what the sink says of itself.
  [[nodiscard]] bool says_that_the_peer_is_gone() {
    return receiver_->bus().wait(GST_MESSAGE_ERROR, [](GstMessage* message) {
      return error_text(message).code == "peer-gone";
    }) != nullptr;
  }
  // What came before it is handled then as well.
  [[nodiscard]] bool keepalive_is_handled(guint64 number) {
    channel_.receive({});
    return eventually([&] { return receiver_->stat_u64("keepalives") == number; });
  }
  // The channel ends while the pipeline is on its way down: the sink's turn comes before the
  // source's, and it takes its time.
  GstStateChangeReturn end_while_stopping() {
    const GstPtr<GstElement> sink = this->sink();
    GST_STATE_LOCK(sink.get());
    auto stopped = std::async(std::launch::async, [&] {
      return gst_element_set_state(receiver_->pipeline(), GST_STATE_READY);
    });
    EXPECT_TRUE(eventually([&] { return target_state(receiver_->pipeline()) == GST_STATE_READY; }));
    channel_.close();
    EXPECT_TRUE(keepalive_is_handled(2));
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
    GST_STATE_UNLOCK(sink.get());
    return stopped.get();
  }

  ChannelAlone channel_{"video_upload"};
  std::unique_ptr<ReceivingPipeline> receiver_;
};

// That is no error then, and one that the next start tells, when the channel is kept.
TEST_F(AChannelThatEnds, WhileThePipelineStopsIsGoneAtTheNextStart) {
  use();
  receiver_->play();
  ASSERT_TRUE(keepalive_is_handled(1));
  EXPECT_EQ(end_while_stopping(), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);

  receiver_->play();
  EXPECT_EQ(receiver_->wait_error().code, "peer-gone");
  stop_promptly(receiver_->pipeline());
}

TEST_F(AChannelThatEnds, IsGoneWhenThePipelineCannotStop) {
  use_with_a_sink_that_cannot_stop();
  receiver_->play();
  ASSERT_TRUE(keepalive_is_handled(1));
  EXPECT_EQ(end_while_stopping(), GST_STATE_CHANGE_FAILURE);
  EXPECT_TRUE(says_that_the_peer_is_gone());
}

TEST_F(AChannelThatEnds, IsGoneAfterThePipelineCouldNotStop) {
  use_with_a_sink_that_cannot_stop();
  receiver_->play();
  ASSERT_TRUE(keepalive_is_handled(1));
  EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_READY),
            GST_STATE_CHANGE_FAILURE);
  channel_.close();
  EXPECT_TRUE(says_that_the_peer_is_gone());
}

TEST_F(AChannelThatEnds, IsGoneThoughThePipelineStoppedWithoutTheElement) {
  use();
  gst_element_set_locked_state(receiver_->upload(), TRUE);
  EXPECT_EQ(gst_element_set_state(receiver_->upload(), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_READY),
            GST_STATE_CHANGE_SUCCESS);
  channel_.close();
  EXPECT_EQ(receiver_->wait_error().code, "peer-gone");
  gst_element_set_locked_state(receiver_->upload(), FALSE);
}

TEST_F(AChannelThatEnds, IsGoneThoughThePipelineNeverStarted) {
  use();
  EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_READY),
            GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(gst_element_set_state(receiver_->upload(), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  channel_.close();
  EXPECT_EQ(receiver_->wait_error().code, "peer-gone");
}

}  // namespace
}  // namespace webrtcupload::test
