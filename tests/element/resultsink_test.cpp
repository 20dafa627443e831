// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcresultsink without a peer: its properties, what it takes, what keeps it from starting, and
// where it looks for analysers.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <string>

#include "glib/upstream.h"
#include "support/gst_test.h"

namespace webrtcupload::test {
namespace {

GstPtr<GstElement> make_sink() {
  GstElement* sink = gst_element_factory_make("webrtcresultsink", nullptr);
  EXPECT_TRUE(sink);
  return GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(sink)));
}

// Starts a pipeline that cannot start, and gives the error it posts.
ErrorText start_error(const GstPtr<GstElement>& pipeline) {
  if (!pipeline) return {};
  BusLog bus(pipeline.get());
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto errors = bus.all(GST_MESSAGE_ERROR);
  EXPECT_EQ(errors.size(), 1U);
  const ErrorText text = errors.empty() ? ErrorText() : error_text(errors.front().get());
  stop_promptly(pipeline.get());
  return text;
}

std::string string_of(GstElement* element, const char* property) {
  char* raw = nullptr;
  g_object_get(element, property, &raw, nullptr);
  const GCharPtr value(raw);
  return value ? value.get() : "(null)";
}

TEST(ResultSink, Defaults) {
  const auto sink = make_sink();
  EXPECT_EQ(string_of(sink.get(), "channel-label"), "inference");
  EXPECT_EQ(string_of(sink.get(), "webrtcbin-name"), "(null)");
  EXPECT_EQ(string_of(sink.get(), "data-output"), "*");
  EXPECT_EQ(string_of(sink.get(), "output-name"), "predictions");
  gboolean realtime = TRUE;
  gboolean sync = TRUE;
  gboolean async = TRUE;
  guint ack_window = 0;
  guint64 buffer_limit = 0;
  guint64 channel_timeout = 0;
  guint64 ack_timeout = 0;
  guint64 linger = 0;
  double fps = 1;
  int quality = 0;
  g_object_get(sink.get(), "realtime", &realtime, "sync", &sync, "async", &async, "ack-window",
               &ack_window, "buffer-limit", &buffer_limit, "channel-timeout", &channel_timeout,
               "ack-timeout", &ack_timeout, "linger", &linger, "declared-fps", &fps,
               "image-quality", &quality, nullptr);
  EXPECT_FALSE(realtime);
  EXPECT_FALSE(sync);
  EXPECT_FALSE(async);
  EXPECT_EQ(ack_window, 32U);
  EXPECT_EQ(buffer_limit, 1048576U);
  EXPECT_EQ(channel_timeout, 5 * GST_SECOND);
  EXPECT_EQ(ack_timeout, 10 * GST_SECOND);
  EXPECT_EQ(linger, 5 * GST_SECOND);
  EXPECT_EQ(fps, 0);
  EXPECT_EQ(quality, 80);
}

TEST(ResultSink, PropertiesKeepWhatTheyAreGiven) {
  const auto sink = make_sink();
  g_object_set(sink.get(), "channel-label", "other", "webrtcbin-name", "pc", "data-output",
               "predictions, image", "output-name", "faces", "ack-window", 7U, "buffer-limit",
               guint64{0}, "channel-timeout", 3 * GST_SECOND, "ack-timeout", 2 * GST_SECOND,
               "linger", guint64{0}, "declared-fps", 29.97, "image-quality", 50, nullptr);
  EXPECT_EQ(string_of(sink.get(), "channel-label"), "other");
  EXPECT_EQ(string_of(sink.get(), "webrtcbin-name"), "pc");
  EXPECT_EQ(string_of(sink.get(), "data-output"), "predictions, image");
  EXPECT_EQ(string_of(sink.get(), "output-name"), "faces");
  guint ack_window = 0;
  guint64 buffer_limit = 1;
  guint64 channel_timeout = 0;
  guint64 ack_timeout = 0;
  guint64 linger = 1;
  double fps = 0;
  int quality = 0;
  g_object_get(sink.get(), "ack-window", &ack_window, "buffer-limit", &buffer_limit,
               "channel-timeout", &channel_timeout, "ack-timeout", &ack_timeout, "linger", &linger,
               "declared-fps", &fps, "image-quality", &quality, nullptr);
  EXPECT_EQ(ack_window, 7U);
  EXPECT_EQ(buffer_limit, 0U);
  EXPECT_EQ(channel_timeout, 3 * GST_SECOND);
  EXPECT_EQ(ack_timeout, 2 * GST_SECOND);
  EXPECT_EQ(linger, 0U);
  EXPECT_EQ(fps, 29.97);
  EXPECT_EQ(quality, 50);
}

TEST(ResultSink, RealtimeFollowsTheClock) {
  const auto sink = make_sink();
  for (const gboolean realtime : {gboolean{TRUE}, gboolean{FALSE}}) {
    g_object_set(sink.get(), "realtime", realtime, nullptr);
    gboolean sync = !realtime;
    gboolean qos = !realtime;
    g_object_get(sink.get(), "sync", &sync, "qos", &qos, nullptr);
    EXPECT_EQ(sync, realtime);
    EXPECT_EQ(qos, realtime);
  }
}

TEST(ResultSink, StatsAreThereBeforeTheStart) {
  const auto sink = make_sink();
  GstStructure* raw = nullptr;
  g_object_get(sink.get(), "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  ASSERT_TRUE(stats);
  EXPECT_TRUE(gst_structure_has_name(stats.get(), "application/x-webrtcresultsink-stats"));
  // Nor does this need a start.
  g_signal_emit_by_name(sink.get(), "finish", "cancelled", "nothing has begun");
}

TEST(ResultSink, TakesVideoOfAnyKindTextAndJson) {
  const auto sink = make_sink();
  const GstPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  const auto takes = [&](const char* caps_text) {
    const GstCapsPtr caps(gst_caps_from_string(caps_text));
    return gst_pad_query_accept_caps(pad.get(), caps.get());
  };
  EXPECT_TRUE(takes("video/x-raw,format=RGBA,width=64,height=48,framerate=25/1"));
  EXPECT_TRUE(takes("video/x-raw(memory:DMABuf),format=NV12,width=64,height=48,framerate=0/1"));
  EXPECT_TRUE(takes("text/x-raw,format=utf8"));
  EXPECT_TRUE(takes("application/x-json"));
  EXPECT_FALSE(takes("text/x-raw,format=pango-markup"));
  EXPECT_FALSE(takes("image/jpeg"));
  EXPECT_FALSE(takes("audio/x-raw"));
}

TEST(ResultSink, NeedsToKnowWhereToSend) {
  const auto error = start_error(parse_pipeline("videotestsrc ! webrtcresultsink"));
  EXPECT_NE(error.message.find("\"webrtcbin-name\""), std::string::npos) << error.message;
}

TEST(ResultSink, SaysWhichWebrtcbinItDoesNotFind) {
  const auto error =
      start_error(parse_pipeline("videotestsrc ! webrtcresultsink webrtcbin-name=nobody"));
  EXPECT_NE(error.message.find("no webrtcbin named \"nobody\""), std::string::npos)
      << error.message;
}

TEST(ResultSink, SaysWhatIsNoWebrtcbin) {
  const auto pipeline = parse_pipeline("videotestsrc name=source ! webrtcresultsink name=sink");
  const auto source = element_named(pipeline, "source");
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "webrtcbin", source.get(), nullptr);
  const auto error = start_error(pipeline);
  EXPECT_NE(error.message.find("which is a GstVideoTestSrc"), std::string::npos) << error.message;
}

class Upstream : public testing::Test {
 protected:
  void parse(const std::string& description) { pipeline_ = parse_pipeline(description); }
  bool feeds(const char* element, const char* sink = "sink") {
    return webrtcupload::feeds(element_named(pipeline_, element).get(),
                               element_named(pipeline_, sink).get());
  }

  GstPtr<GstElement> pipeline_;
};

TEST_F(Upstream, EverythingOnTheWay) {
  parse(
      "fakesrc name=a ! queue name=b ! identity name=c ! fakesink name=sink  "
      "fakesrc name=d ! fakesink name=other");
  EXPECT_TRUE(feeds("a"));
  EXPECT_TRUE(feeds("b"));
  EXPECT_TRUE(feeds("c"));
  EXPECT_FALSE(feeds("d"));
  EXPECT_TRUE(feeds("d", "other"));
  EXPECT_FALSE(feeds("other"));
}

TEST_F(Upstream, OfATeeOnlyItsOwnBranch) {
  parse(
      "fakesrc name=a ! tee name=t ! identity name=b ! fakesink name=sink  "
      "t. ! identity name=c ! fakesink name=other");
  EXPECT_TRUE(feeds("a"));
  EXPECT_TRUE(feeds("b"));
  EXPECT_FALSE(feeds("c"));
}

TEST_F(Upstream, IntoAndOutOfBins) {
  parse(
      "bin.( fakesrc name=a ! identity name=b ) ! identity name=c ! "
      "bin.( name=inner identity name=d ! bin.( identity name=e ! fakesink name=sink ) )  "
      "bin.( fakesrc name=f ! fakesink name=other )");
  for (const char* name : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(feeds(name)) << name;
  EXPECT_FALSE(feeds("f"));
}

TEST_F(Upstream, NotLinkedToAnything) {
  parse("fakesink name=sink  fakesrc name=a  identity name=b ! fakesink name=other");
  EXPECT_FALSE(feeds("a"));
  EXPECT_FALSE(feeds("b"));
}

}  // namespace
}  // namespace webrtcupload::test
