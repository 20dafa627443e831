// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcresultsink in a pipeline, with a real peer: it can be stopped, paused and flushed at any
// moment, and keeps pace in real time.

#include <gmock/gmock.h>
#include <gst/video/video.h>

#include <algorithm>

#include "results/results_fixture.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using testing::HasSubstr;

TEST_F(ResultsTest, StoppedWhileItWaitsForTheChannel) {
  start(videotestsrc(-1) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(eventually([this] { return stat<guint>("last-frame-id") == 1; }, kDeadline));
  stop_promptly(peers_.pipeline(Side::kAnswerer));
}

TEST_F(ResultsTest, StoppedWhileItWaitsAtTheEndForTheChannel) {
  start("videotestsrc num-buffers=0 ! webrtcresultsink name=results");
  // It has reached the sink when it leaves the source, or is about to: either is to be stopped.
  stop_promptly(peers_.pipeline(Side::kAnswerer));
  EXPECT_EQ(bus().count(GST_MESSAGE_EOS), 0U);
}

TEST_F(ResultsTest, StoppedWhileItWaitsForAcknowledgements) {
  run(videotestsrc(-1) + " ! webrtcresultsink name=results ack-window=2");
  ASSERT_TRUE(client_->wait_results(1));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return stat<guint>("acked", 99) == 1; }, kDeadline));
  // It takes as many more as had been sent before the acknowledgement came, or two.
  const auto waits = [this] {
    return stat<guint>("last-frame-id") > stat<guint64>("sent") && stat<guint64>("sent") >= 3;
  };
  ASSERT_TRUE(eventually(waits, kDeadline));
  stop_promptly(peers_.pipeline(Side::kAnswerer));
}

TEST_F(ResultsTest, StoppedWhileItWaitsForRoom) {
  before_start_ = [this] {
    on_each_buffer(sink_.get(), [](GstBuffer* buffer) {
      for (guint i = 0; i < 200; ++i) {
        gst_buffer_add_video_region_of_interest_meta(buffer, "person", i, 20, 30, 40);
      }
    });
  };
  run(videotestsrc(-1) + " ! webrtcresultsink name=results buffer-limit=200000");
  ASSERT_TRUE(client_->wait_results(1));
  gate_ = ReceiveGate::find(peers_.offerer());
  ASSERT_TRUE(gate_);
  gate_->close();
  ASSERT_TRUE(eventually([this] { return stat<guint64>("buffered") >= 200000; }, kDeadline));
  stop_promptly(peers_.pipeline(Side::kAnswerer));
}

TEST_F(ResultsTest, StoppedWhileItWaitsAtTheEndForThePeerToTakeEverything) {
  before_start_ = [this] {
    on_each_buffer(sink_.get(), [](GstBuffer* buffer) {
      for (guint i = 0; i < 1000; ++i) {
        gst_buffer_add_video_region_of_interest_meta(buffer, "person", i, 20, 30, 40);
      }
    });
  };
  run(videotestsrc(-1) + " ! webrtcresultsink name=results buffer-limit=1000000");
  ASSERT_TRUE(client_->wait_results(1));
  gate_ = ReceiveGate::find(peers_.offerer());
  ASSERT_TRUE(gate_);
  gate_->close();
  ASSERT_TRUE(eventually([this] { return stat<guint64>("buffered") >= 1000000; }, kDeadline));
  g_signal_emit_by_name(sink_.get(), "finish", nullptr, nullptr);
  stop_promptly(peers_.pipeline(Side::kAnswerer));
  EXPECT_EQ(bus().count(GST_MESSAGE_EOS), 0U);
}

TEST_F(ResultsTest, APauseInterruptsNothing) {
  run(videotestsrc(-1) + " ! webrtcresultsink name=results ack-window=1");
  ASSERT_TRUE(client_->wait_results(1));
  client_->ack(1);
  // Whether it waits for an acknowledgement by now or not, pausing does not.
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(gst_element_set_state(sink_.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(gst_element_set_state(sink_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  }
  const std::size_t count = client_->count() + 10;
  for (std::size_t i = client_->count(); i < count; ++i) {
    client_->ack(static_cast<std::int64_t>(i));
    ASSERT_TRUE(client_->wait_results(i + 1));
  }
  const auto results = client_->results();
  EXPECT_EQ(header_ids(results), count_to(static_cast<std::uint32_t>(results.size())));
}

TEST_F(ResultsTest, AFlushInterruptsAWaitAndResultsGoOn) {
  run("videotestsrc name=source ! webrtcresultsink name=results ack-window=1");
  const auto source = element("source");
  ASSERT_TRUE(client_->wait_results(1));
  client_->ack(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gst_element_send_event(source.get(), gst_event_new_flush_start()));
    EXPECT_TRUE(gst_element_send_event(source.get(), gst_event_new_flush_stop(TRUE)));
  }
  // As many as there are, and then others.
  for (int i = 0; i < 10; ++i) {
    const std::size_t count = client_->count();
    client_->ack(client_->results().back().header_id);
    ASSERT_TRUE(client_->wait_results(count + 1));
  }
  EXPECT_TRUE(std::ranges::is_sorted(header_ids(client_->results())));
}

TEST_F(ResultsTest, RealtimeFramesAreDueFromTheFirstOneOn) {
  keep_times_ = true;
  start(
      "appsrc name=source format=time caps=video/x-raw,format=GRAY8,width=4,height=4 ! "
      "webrtcresultsink name=results realtime=true");
  const auto source = element("source");
  // It came long after the pipeline began to play, as after an upload.
  const GstClockTime before = gst_element_get_current_running_time(sink_.get());
  ASSERT_TRUE(GST_CLOCK_TIME_IS_VALID(before));
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
  GST_BUFFER_PTS(buffer) = 0;
  GstFlowReturn flow = GST_FLOW_ERROR;
  g_signal_emit_by_name(source.get(), "push-buffer", buffer, &flow);
  gst_buffer_unref(buffer);
  ASSERT_TRUE(eventually([this] { return stat<guint>("last-frame-id") == 1; }, kDeadline));
  gint64 offset = -1;
  g_object_get(sink_.get(), "ts-offset", &offset, nullptr);
  EXPECT_GE(offset, static_cast<gint64>(before));
  EXPECT_LE(offset, static_cast<gint64>(gst_element_get_current_running_time(sink_.get())));
}

TEST_F(ResultsTest, RealtimeLosesResultsAndNotTime) {
  // Thirty frames a second for a second; the peer takes none of them.
  keep_times_ = true;
  start(
      "videotestsrc num-buffers=30 ! video/x-raw,framerate=30/1 ! "
      "webrtcresultsink name=results realtime=true channel-timeout=1");
  gboolean sync = FALSE;
  g_object_get(sink_.get(), "sync", &sync, nullptr);
  EXPECT_TRUE(sync);
  ASSERT_TRUE(wait_eos());
  EXPECT_EQ(stat<guint64>("dropped"), 30U);
  EXPECT_EQ(stat<guint64>("sent", 99), 0U);
  const auto delivered = wait_delivered();
  ASSERT_TRUE(delivered);
  EXPECT_THAT(gst_structure_get_string(gst_message_get_structure(delivered.get()), "error-message"),
              HasSubstr("opened no channel \"inference\""));
}

TEST_F(ResultsTest, PlaysTwiceWithoutATrace) {
  const auto once = [this] {
    const GstPtr<GstElement> pipeline = parse_pipeline(
        "webrtcbin name=pc  videotestsrc num-buffers=10 ! "
        "webrtcresultsink name=results webrtcbin-name=pc channel-timeout=1");
    ASSERT_TRUE(pipeline);
    BusLog log(pipeline.get());
    for (int i = 0; i < 2; ++i) {
      ASSERT_NE(set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
      ASSERT_TRUE(log.wait(GST_MESSAGE_EOS));
      stop_promptly(pipeline.get());
    }
  };
  once();  // What GStreamer opens once stays open.
  const FdGuard descriptors;
  once();
  descriptors.expect_none_new();
}

}  // namespace
}  // namespace webrtcupload::test
