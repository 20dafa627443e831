// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcupload answers to the elements around it, without a peer.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "glib/signal_connection.h"
#include "support/gst_test.h"
#include "support/odd_directory.h"

namespace webrtcupload::test {
namespace {

using PadPtr = GstPtr<GstPad>;
using QueryPtr = GstMiniPtr<GstQuery>;

// -------------------------------------------------------------------------------------------------
// what it says to other elements

class UploadQueries : public testing::Test {
 protected:
  void start(const std::string& properties) {
    pipeline_ = parse_pipeline("webrtcbin name=pc webrtcupload name=upload webrtcbin-name=pc " +
                               properties + " ! fakesink");
    upload_ = element_named(pipeline_, "upload");
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    pad_.reset(gst_element_get_static_pad(upload_.get(), "src"));
  }
  void TearDown() override {
    pad_.reset();
    if (pipeline_) stop_promptly(pipeline_.get());
  }
  bool offers(GstPadMode mode) {
    const QueryPtr query(gst_query_new_scheduling());
    EXPECT_TRUE(gst_pad_query(pad_.get(), query.get()));
    return gst_query_has_scheduling_mode(query.get(), mode);
  }

  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> upload_;
  PadPtr pad_;
};

TEST_F(UploadQueries, CompletedFilesCanBePulled) {
  start("");
  EXPECT_TRUE(offers(GST_PAD_MODE_PULL));
  EXPECT_TRUE(offers(GST_PAD_MODE_PUSH));
}

TEST_F(UploadQueries, ProgressiveIsPushedOnly) {
  start("progressive=true");
  EXPECT_FALSE(offers(GST_PAD_MODE_PULL));
  EXPECT_TRUE(offers(GST_PAD_MODE_PUSH));
}

// Elements ask when they are linked, which gst_parse_launch() does before the pipeline has a bus or
// a webrtcbin that can be found. Nobody who asks starts anything.
TEST(UploadElement, NoQueryStartsIt) {
  test::TemporaryDirectory spool;
  for (const GstState state : {GST_STATE_NULL, GST_STATE_READY}) {
    for (const char* properties : {"", "progressive=true", "webrtcbin-name=nobody"}) {
      const auto pipeline =
          parse_pipeline("webrtcupload name=upload spool-directory=" + spool.path() + " " +
                         properties + " ! fakesink");
      BusLog bus(pipeline.get());
      const auto upload = element_named(pipeline, "upload");
      std::atomic<int> changes = 0;
      const SignalConnection watching(
          upload.get(), "notify::state",
          G_CALLBACK(+[](GObject*, GParamSpec*, std::atomic<int>** count) { ++**count; }),
          &changes);
      ASSERT_EQ(set_state(pipeline.get(), state), GST_STATE_CHANGE_SUCCESS);
      const PadPtr pad(gst_element_get_static_pad(upload.get(), "src"));
      const FdGuard descriptors;
      const GstCapsPtr caps(gst_caps_new_empty_simple("video/quicktime"));
      for (GstQuery* query :
           {gst_query_new_scheduling(), gst_query_new_duration(GST_FORMAT_BYTES),
            gst_query_new_duration(GST_FORMAT_TIME), gst_query_new_position(GST_FORMAT_BYTES),
            gst_query_new_seeking(GST_FORMAT_BYTES), gst_query_new_seeking(GST_FORMAT_TIME),
            gst_query_new_latency(), gst_query_new_caps(nullptr),
            gst_query_new_accept_caps(caps.get()), gst_query_new_buffering(GST_FORMAT_BYTES),
            gst_query_new_formats(), gst_query_new_convert(GST_FORMAT_BYTES, 1, GST_FORMAT_TIME),
            gst_query_new_uri(), gst_query_new_segment(GST_FORMAT_BYTES),
            gst_query_new_context("any"), gst_query_new_selectable()}) {
        const QueryPtr owned(query);
        gst_pad_query(pad.get(), query);
        if (GST_QUERY_TYPE(query) == GST_QUERY_SCHEDULING) {
          EXPECT_EQ(gst_query_has_scheduling_mode_with_flags(query, GST_PAD_MODE_PULL,
                                                             GST_SCHEDULING_FLAG_SEEKABLE),
                    std::string(properties) != "progressive=true");
          EXPECT_TRUE(gst_query_has_scheduling_mode(query, GST_PAD_MODE_PUSH));
        }
      }
      descriptors.expect_none_new();
      EXPECT_EQ(bus.count(GST_MESSAGE_ERROR), 0U);
      EXPECT_EQ(changes, 0);
      EXPECT_EQ(spool.entries(), 0U);
      stop_promptly(pipeline.get());
    }
  }
}

// The answer is that of the moment, whatever was set when somebody asked before.
TEST(UploadElement, ProgressiveAfterLinking) {
  for (const char* tail : {"decodebin", "decodebin3", "parsebin", "typefind", "multiqueue"}) {
    const auto pipeline = parse_pipeline(std::string("webrtcupload name=upload ! ") + tail);
    const auto upload = element_named(pipeline, "upload");
    const PadPtr pad(gst_element_get_static_pad(upload.get(), "src"));
    for (const bool progressive : {false, true, false}) {
      g_object_set(upload.get(), "progressive", gboolean{progressive}, nullptr);
      const QueryPtr query(gst_query_new_scheduling());
      ASSERT_TRUE(gst_pad_query(pad.get(), query.get()));
      EXPECT_EQ(gst_query_has_scheduling_mode(query.get(), GST_PAD_MODE_PULL), !progressive)
          << tail;
    }
    const GstPtr<GstBus> bus(gst_element_get_bus(pipeline.get()));
    const GstMessagePtr error(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
    EXPECT_FALSE(error) << tail << ": " << describe(error.get());
  }
}

TEST_F(UploadQueries, SeekingInBytesIsPossible) {
  for (const char* properties : {"", "progressive=true"}) {
    start(properties);
    const QueryPtr query(gst_query_new_seeking(GST_FORMAT_BYTES));
    ASSERT_TRUE(gst_pad_query(pad_.get(), query.get()));
    gboolean seekable = FALSE;
    gint64 begin = -1;
    gint64 end = 0;
    gst_query_parse_seeking(query.get(), nullptr, &seekable, &begin, &end);
    EXPECT_TRUE(seekable);
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, -1) << "nothing is known of the size";
    TearDown();
  }
}

TEST_F(UploadQueries, SeekingInTimeIsNot) {
  start("");
  const QueryPtr query(gst_query_new_seeking(GST_FORMAT_TIME));
  gboolean seekable = FALSE;
  if (gst_pad_query(pad_.get(), query.get())) {
    gst_query_parse_seeking(query.get(), nullptr, &seekable, nullptr, nullptr);
  }
  EXPECT_FALSE(seekable);
}

TEST_F(UploadQueries, NoSizeIsKnownBeforeTheUpload) {
  start("");
  gint64 size = 0;
  EXPECT_FALSE(gst_pad_query_duration(pad_.get(), GST_FORMAT_BYTES, &size));
}

// The size is waited for in pull mode; a pad that is deactivated does not wait on.
TEST(UploadElement, WhoWaitsForTheSizeIsLetGoWhenItEnds) {
  const auto pipeline =
      parse_pipeline("webrtcbin name=pc webrtcupload webrtcbin-name=pc ! typefind ! fakesink");
  BusLog bus(pipeline.get());
  EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  // STREAM_STATUS tells that typefind's own thread has begun to pull.
  ASSERT_TRUE(bus.wait(GST_MESSAGE_STREAM_STATUS, [](GstMessage* message) {
    GstStreamStatusType type{};
    GstElement* owner = nullptr;
    gst_message_parse_stream_status(message, &type, &owner);
    return type == GST_STREAM_STATUS_TYPE_ENTER &&
           g_str_equal(G_OBJECT_TYPE_NAME(owner), "GstTypeFindElement");
  }));
  stop_promptly(pipeline.get());
  for (const GstMessagePtr& error : bus.all(GST_MESSAGE_ERROR)) {
    ADD_FAILURE() << describe(error.get());
  }
}

TEST(UploadElement, StartsAndStopsOftenWithoutAPeer) {
  FdGuard descriptors;
  {
    const auto pipeline =
        parse_pipeline("webrtcbin name=pc webrtcupload webrtcbin-name=pc ! fakesink");
    for (int round = 0; round < 20; ++round) {
      const GstState state = round % 2 ? GST_STATE_PAUSED : GST_STATE_PLAYING;
      EXPECT_NE(gst_element_set_state(pipeline.get(), state), GST_STATE_CHANGE_FAILURE);
      stop_promptly(pipeline.get());
    }
  }
  descriptors.expect_none_new();
}

}  // namespace
}  // namespace webrtcupload::test
