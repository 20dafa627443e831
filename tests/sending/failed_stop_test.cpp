// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An application wants to stop a pipeline, which fails, and plays it again: a sink of ours has
// given up what it did by then, and what is left of the pipeline still comes to an end.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "results/result_pipeline.h"
#include "results/results_fixture.h"
#include "sending/sink_fixture.h"
#include "sending/stop_that_fails.h"
#include "support/log.h"
#include "webrtc/channel_alone.h"

namespace webrtcupload::test {
namespace {

// The pipeline has got to PAUSED by then, and the sink of ours with it.
constexpr const char* kFromPaused = "paused-to-ready";

void fail_to_stop(GstElement* pipeline) {
  EXPECT_EQ(gst_element_set_state(pipeline, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
}

class ResultsThatWereCancelled : public testing::Test {
 protected:
  // Over a connection that goes on.
  void play_with_a_peer() {
    near_ = pair_.connect("inference");
    ASSERT_TRUE(near_.channel);
    g_object_set(results_.sink(), "data-channel", near_.channel.get(), nullptr);
    ASSERT_EQ(results_.play(), GST_STATE_CHANGE_SUCCESS);
  }
  // The pipeline plays again.
  void fail_to_stop_and_play() {
    fail_to_stop(results_.pipeline());
    ASSERT_EQ(results_.play(), GST_STATE_CHANGE_SUCCESS);
    stop_.end();
  }
  void expect_end() {
    ASSERT_TRUE(results_.bus().wait(GST_MESSAGE_EOS));
    const auto delivered = results_.bus().wait(GST_MESSAGE_ELEMENT);
    ASSERT_TRUE(delivered);
    const GstStructure* said = gst_message_get_structure(delivered.get());
    gboolean all = TRUE;
    EXPECT_TRUE(gst_structure_get_boolean(said, "delivered", &all));
    EXPECT_FALSE(all);
    EXPECT_STREQ(gst_structure_get_string(said, "error-message"),
                 "the results were cancelled when the pipeline began to shut down");
    gst_element_set_state(results_.sink(), GST_STATE_NULL);
    EXPECT_EQ(results_.bus().count(GST_MESSAGE_ELEMENT), 1U);
    EXPECT_EQ(results_.bus().count(GST_MESSAGE_WARNING), 0U);
  }

  PeerPair pair_;
  PeerPair::Channel near_;
  ResultPipeline results_{"channel-timeout=3600000000000"};
  StopThatFails stop_{results_.pipeline(), kFromPaused};
};

TEST_F(ResultsThatWereCancelled, HaveAnEndWhenThePipelinePlaysOn) {
  play_with_a_peer();
  fail_to_stop_and_play();
  results_.end();
  expect_end();
}

TEST_F(ResultsThatWereCancelled, TakeNoMoreAndHaveAnEnd) {
  play_with_a_peer();
  fail_to_stop_and_play();
  // The source then ends by itself.
  results_.push("too late");
  expect_end();
  const auto far = pair_.incoming(PeerPair::Side::kAnswerer, "inference");
  ASSERT_TRUE(far && far->wait_closed());
  EXPECT_EQ(far->messages().size(), 1U) << "the completion";
}

TEST_F(ResultsThatWereCancelled, HaveTheEndThatWaitedBefore) {
  const Log log;
  const ChannelAlone channel;
  g_object_set(results_.sink(), "data-channel", channel.get(), nullptr);
  ASSERT_EQ(results_.play(), GST_STATE_CHANGE_SUCCESS);
  results_.end();
  ASSERT_TRUE(log.says({"the end waits for the channel"}));
  fail_to_stop_and_play();
  expect_end();
}

// The end that was told before is not told again.
TEST_F(ResultsThatWereCancelled, AreNotToldTwice) {
  const Log log;
  const ChannelAlone channel;
  g_object_set(results_.sink(), "data-channel", channel.get(), "channel-timeout", guint64{0},
               nullptr);
  ASSERT_EQ(results_.play(), GST_STATE_CHANGE_SUCCESS);
  results_.end();
  ASSERT_TRUE(results_.bus().wait(GST_MESSAGE_ELEMENT));
  fail_to_stop_and_play();
  ASSERT_TRUE(results_.bus().wait(GST_MESSAGE_EOS));
  ASSERT_TRUE(log.says({"the pipeline did not shut down"}));
  gst_element_set_state(results_.sink(), GST_STATE_NULL);
  EXPECT_EQ(results_.bus().count(GST_MESSAGE_ELEMENT), 1U);
}

// An upload that was given up fails as soon as it is to go on.
class AnUploadThatWasGivenUp : public SinkOverAChannel {
 protected:
  void expect_failure_after(const std::function<void(Upload&)>& more) {
    Upload upload(near_);
    StopThatFails stop(upload.pipeline(), kFromPaused);
    upload.announce(3);
    upload.play();
    fail_to_stop(upload.pipeline());
    ASSERT_EQ(gst_element_set_state(upload.pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_SUCCESS);
    more(upload);
    EXPECT_TRUE(upload.bus().wait(GST_MESSAGE_ERROR, [&](GstMessage* message) {
      return GST_MESSAGE_SRC(message) == GST_OBJECT(upload.sink());
    }));
    gst_element_set_state(upload.sink(), GST_STATE_NULL);
  }
};

TEST_F(AnUploadThatWasGivenUp, FailsWithTheNextByte) {
  expect_failure_after([](Upload& upload) { upload.push(Bytes{1, 2, 3}); });
}

TEST_F(AnUploadThatWasGivenUp, FailsAtItsEnd) {
  expect_failure_after([](Upload& upload) { upload.end(); });
}

// GStreamer forgets in PAUSED what has ended, and webrtcbin says nothing.

// Until one element in it has posted its end.
bool wait_an_end_in(GstObject* bin) {
  return eventually([&] {
    bool has_ended = false;
    GST_OBJECT_LOCK(bin);
    for (GList* item = GST_BIN(bin)->messages; item; item = item->next) {
      has_ended = has_ended || GST_MESSAGE_TYPE(item->data) == GST_MESSAGE_EOS;
    }
    GST_OBJECT_UNLOCK(bin);
    return has_ended;
  });
}

void pause_and_play(GstElement* pipeline) {
  ASSERT_NE(set_state(pipeline, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  ASSERT_NE(set_state(pipeline, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
}

void end(GstElement* appsrc) {
  GstFlowReturn flow = GST_FLOW_OK;
  g_signal_emit_by_name(appsrc, "end-of-stream", &flow);
  EXPECT_EQ(flow, GST_FLOW_OK);
}

constexpr const char* kAnotherBranch = "   appsrc name=other ! fakesink async=false";

class EndsOfResults : public ResultsTest {};

TEST_F(EndsOfResults, AreThePipelinesThoughItHasPaused) {
  GstElement* pipeline = peers_.pipeline(PeerPair::Side::kAnswerer);
  run(std::string("appsrc name=source format=time caps=\"text/x-raw,format=utf8\" ! "
                  "webrtcresultsink name=results sync=false async=false") +
      kAnotherBranch);
  const GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(sink_.get())));
  end(element("source").get());
  ASSERT_TRUE(client_->wait_completion());
  client_->close();
  ASSERT_TRUE(wait_an_end_in(GST_OBJECT(pipeline))) << "the webrtcbin's";
  ASSERT_TRUE(wait_an_end_in(parent.get())) << "the sink's";
  pause_and_play(pipeline);
  end(element("other").get());
  EXPECT_TRUE(wait_eos());
}

TEST(EndOfAnUploadThatIsSent, IsThePipelinesThoughItHasPaused) {
  using Side = PeerPair::Side;
  PeerPair pair;
  GstElement* bin = gst_parse_bin_from_description(
      (std::string("appsrc name=source format=bytes ! webrtcuploadsink size=3 webrtcbin-name=pc") +
       kAnotherBranch)
          .c_str(),
      FALSE, nullptr);
  pair.add(Side::kOfferer, bin);
  GstElement* pipeline = pair.pipeline(Side::kOfferer);
  ASSERT_TRUE(pair.start());
  ASSERT_TRUE(pair.negotiate());
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  far->set_echo(true);
  const GstPtr<GstElement> source(gst_bin_get_by_name(GST_BIN(bin), "source"));
  const GstPtr<GstElement> other(gst_bin_get_by_name(GST_BIN(bin), "other"));
  gst_app_src_push_buffer(GST_APP_SRC(source.get()), gst_buffer_new_memdup("abc", 3));
  end(source.get());
  ASSERT_TRUE(wait_an_end_in(GST_OBJECT(pipeline))) << "the webrtcbin's";
  ASSERT_TRUE(wait_an_end_in(GST_OBJECT(bin))) << "the sink's";
  pause_and_play(pipeline);
  end(other.get());
  EXPECT_TRUE(pair.bus(Side::kOfferer).wait(GST_MESSAGE_EOS));
}

}  // namespace
}  // namespace webrtcupload::test
