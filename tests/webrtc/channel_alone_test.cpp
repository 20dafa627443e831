// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sinks that were given a data channel and nothing else, by an application that drops its
// webrtcbin. A channel that is closed, or sends, uses its webrtcbin, up to 1.22 by a pointer that
// nothing keeps valid. (For webrtcupload see upload_teardown_test.cpp.)

#include "webrtc/channel_alone.h"

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <string>

#include "webrtc/channel_owner.h"
#include "webrtc/channel_sending.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"
#include "webrtc/result_pipeline.h"
#include "webrtc/sink_fixture.h"

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
  EXPECT_TRUE(is_peer_trusted(channel.get(), nullptr)) << "nobody has described a peer";
  channel.drop_webrtcbin();
  EXPECT_FALSE(is_peer_trusted(channel.get(), nullptr));
  EXPECT_FALSE(is_peer_trusted(channel.get(), other.webrtcbin()));
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
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
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
  channel.open();
  g_object_set(upload.sink(), "data-channel", channel.get(), nullptr);
  channel.drop_webrtcbin();
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_NE(error.message.find("the webrtcbin of the data channel has gone"), std::string::npos)
      << error.message;
  stop_promptly(upload.pipeline());
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
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

TEST(AChannelAlone, IsLeftAloneWhenAnUploadIsStopped) {
  Upload upload;
  ChannelAlone channel;
  channel.open();
  g_object_set(upload.sink(), "data-channel", channel.get(), nullptr);
  upload.play();
  channel.drop_webrtcbin();
  stop_promptly(upload.pipeline());
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
}

TEST(AChannelAlone, CarriesNoResultsWhenItsWebrtcbinHasGone) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.open();
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
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
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
}

// The completion is the first message then.
TEST(AChannelAlone, IsToldNoEndWhenItsWebrtcbinHasGone) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.open();
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  channel.drop_webrtcbin();
  results.end();
  EXPECT_TRUE(results.bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(results.stat("messages"), 0U);
  results.stop();
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
}

TEST(AChannelAlone, IsToldNothingWhenResultsAreStopped) {
  ResultPipeline results;
  ChannelAlone channel;
  channel.open();
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
  ASSERT_NE(results.play(), GST_STATE_CHANGE_FAILURE);
  channel.drop_webrtcbin();
  results.stop();
  EXPECT_EQ(channel.state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
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
  channel.open();
  g_object_set(results.sink(), "data-channel", channel.get(), nullptr);
  const GstPtr<GstObject> pipeline(gst_object_get_parent(GST_OBJECT(results.sink())));
  ASSERT_EQ(set_state(GST_ELEMENT(pipeline.get()), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  ASSERT_EQ(set_state(results.sink(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  channel.close();
  const auto warning = results.bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_EQ(error_text(warning.get()).code, "peer-gone");
  results.stop();
}

}  // namespace
}  // namespace webrtcupload::test
