// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink without a peer: its properties, what it says about itself, and everything that
// keeps it from starting.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <string>

#include "support/gst_test.h"

namespace webrtcupload::test {
namespace {

GstPtr<GstElement> make_sink() {
  GstElement* sink = gst_element_factory_make("webrtcuploadsink", nullptr);
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

TEST(Sink, Defaults) {
  const auto sink = make_sink();
  char* raw_label = nullptr;
  char* raw_name = nullptr;
  guint chunk_size = 0;
  guint64 buffer_limit = 0;
  guint64 size = 1;
  guint64 confirm_timeout = 0;
  gboolean confirm = FALSE;
  gpointer channel = sink.get();
  gpointer webrtcbin = sink.get();
  g_object_get(sink.get(), "channel-label", &raw_label, "webrtcbin-name", &raw_name, "chunk-size",
               &chunk_size, "buffer-limit", &buffer_limit, "size", &size, "confirm", &confirm,
               "confirm-timeout", &confirm_timeout, "data-channel", &channel, "webrtcbin",
               &webrtcbin, nullptr);
  const GCharPtr label(raw_label);
  EXPECT_STREQ(label.get(), "video_upload");
  EXPECT_EQ(raw_name, nullptr);
  EXPECT_EQ(chunk_size, 49152U);
  EXPECT_EQ(buffer_limit, 262144U);
  EXPECT_EQ(size, 0U);
  EXPECT_TRUE(confirm);
  EXPECT_EQ(confirm_timeout, 30 * GST_SECOND);
  EXPECT_EQ(channel, nullptr);
  EXPECT_EQ(webrtcbin, nullptr);
}

TEST(Sink, PropertiesKeepWhatTheyAreGiven) {
  const auto sink = make_sink();
  g_object_set(sink.get(), "channel-label", "other", "webrtcbin-name", "pc", "chunk-size", 1U,
               "buffer-limit", guint64{0}, "size", guint64{5}, "confirm", FALSE, "confirm-timeout",
               guint64{7}, nullptr);
  char* raw_label = nullptr;
  char* raw_name = nullptr;
  guint chunk_size = 0;
  guint64 buffer_limit = 1;
  guint64 size = 0;
  guint64 confirm_timeout = 0;
  gboolean confirm = TRUE;
  g_object_get(sink.get(), "channel-label", &raw_label, "webrtcbin-name", &raw_name, "chunk-size",
               &chunk_size, "buffer-limit", &buffer_limit, "size", &size, "confirm", &confirm,
               "confirm-timeout", &confirm_timeout, nullptr);
  const GCharPtr label(raw_label);
  const GCharPtr name(raw_name);
  EXPECT_STREQ(label.get(), "other");
  EXPECT_STREQ(name.get(), "pc");
  EXPECT_EQ(chunk_size, 1U);
  EXPECT_EQ(buffer_limit, 0U);
  EXPECT_EQ(size, 5U);
  EXPECT_FALSE(confirm);
  EXPECT_EQ(confirm_timeout, 7U);
  g_object_set(sink.get(), "channel-label", nullptr, "webrtcbin-name", nullptr, nullptr);
  g_object_get(sink.get(), "channel-label", &raw_label, "webrtcbin-name", &raw_name, nullptr);
  const GCharPtr default_label(raw_label);
  EXPECT_STREQ(default_label.get(), "video_upload");
  EXPECT_EQ(raw_name, nullptr);
}

TEST(Sink, SpeaksWhatTheChannelSaysUnlessToldOtherwise) {
  const auto sink = make_sink();
  gint protocol = -1;
  char* raw = nullptr;
  g_object_get(sink.get(), "protocol", &protocol, "sha256", &raw, nullptr);
  EXPECT_EQ(protocol, 0);
  EXPECT_EQ(raw, nullptr);
  int value = 0;
  for (const char* name : {"auto", "v1", "v2"}) {
    gst_util_set_object_arg(G_OBJECT(sink.get()), "protocol", name);
    g_object_get(sink.get(), "protocol", &protocol, nullptr);
    EXPECT_EQ(protocol, value++) << name;
  }
  g_object_set(sink.get(), "sha256", "abc", nullptr);
  g_object_get(sink.get(), "sha256", &raw, nullptr);
  const GCharPtr sha256(raw);
  EXPECT_STREQ(sha256.get(), "abc");
}

TEST(Sink, ChunkSizesFillAtMostOneMessage) {
  const auto sink = make_sink();
  const auto* spec =
      G_PARAM_SPEC_UINT(g_object_class_find_property(G_OBJECT_GET_CLASS(sink.get()), "chunk-size"));
  EXPECT_EQ(spec->minimum, 1U);
  EXPECT_EQ(spec->maximum, 65536U - 8U);
}

TEST(Sink, StatsWithoutAnUploadAreOfTheWorkaroundsOnly) {
  const auto sink = make_sink();
  GstStructure* raw = nullptr;
  g_object_get(sink.get(), "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  ASSERT_TRUE(stats);
  EXPECT_TRUE(gst_structure_has_name(stats.get(), "application/x-webrtcuploadsink-stats"));
  EXPECT_EQ(gst_structure_n_fields(stats.get()), 1);
  EXPECT_TRUE(gst_structure_has_field_typed(stats.get(), "workarounds", G_TYPE_STRING));
}

// What gst-inspect-1.0 shows.
TEST(Sink, DescribesItself) {
  const auto sink = make_sink();
  auto* klass = GST_ELEMENT_GET_CLASS(sink.get());
  for (const char* key : {GST_ELEMENT_METADATA_LONGNAME, GST_ELEMENT_METADATA_KLASS,
                          GST_ELEMENT_METADATA_DESCRIPTION, GST_ELEMENT_METADATA_AUTHOR}) {
    const char* text = gst_element_class_get_metadata(klass, key);
    EXPECT_TRUE(text && *text) << key;
  }
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(sink.get()), &count);
  int own = 0;
  for (guint i = 0; i < count; ++i) {
    if (specs[i]->owner_type != G_OBJECT_TYPE(sink.get())) continue;
    ++own;
    EXPECT_GT(std::string(g_param_spec_get_blurb(specs[i])).size(), 20U) << specs[i]->name;
    if (specs[i]->flags & G_PARAM_WRITABLE) {
      const bool any_time = std::string(specs[i]->name) == "end-pipeline";
      EXPECT_TRUE(specs[i]->flags &
                  (any_time ? GST_PARAM_MUTABLE_PLAYING : GST_PARAM_MUTABLE_READY))
          << specs[i]->name;
    }
  }
  g_free(specs);
  EXPECT_EQ(own, 17);
}

TEST(Sink, NeedsSomethingToSendOver) {
  const ErrorText error = start_error(parse_pipeline("fakesrc ! webrtcuploadsink"));
  EXPECT_NE(error.message.find("\"data-channel\""), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("\"webrtcbin-name\""), std::string::npos) << error.message;
}

TEST(Sink, NameOfNoWebrtcbin) {
  const ErrorText error =
      start_error(parse_pipeline("fakesrc ! webrtcuploadsink webrtcbin-name=missing"));
  EXPECT_NE(error.message.find("\"missing\""), std::string::npos) << error.message;
}

TEST(Sink, NameOfSomethingElse) {
  const ErrorText error =
      start_error(parse_pipeline("fakesrc name=other ! webrtcuploadsink webrtcbin-name=other"));
  EXPECT_NE(error.message.find("\"other\""), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("GstFakeSrc"), std::string::npos) << error.message;
}

TEST(Sink, WebrtcbinThatIsNone) {
  const auto pipeline = parse_pipeline("fakesrc name=source ! webrtcuploadsink name=sink");
  g_object_set(element_named(pipeline, "sink").get(), "webrtcbin",
               element_named(pipeline, "source").get(), nullptr);
  EXPECT_NE(start_error(pipeline).message.find("GstFakeSrc"), std::string::npos);
}

TEST(Sink, WebrtcbinInNull) {
  const auto pipeline = parse_pipeline("fakesrc ! webrtcuploadsink name=sink");
  // A description of one element is that element.
  const auto webrtcbin = parse_pipeline("webrtcbin name=pc");
  g_object_set(element_named(pipeline, "sink").get(), "webrtcbin", webrtcbin.get(), nullptr);
  const ErrorText error = start_error(pipeline);
  EXPECT_NE(error.message.find("\"pc\""), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("READY"), std::string::npos) << error.message;
}

TEST(Sink, AloneInNoBin) {
  const auto sink = make_sink();
  const GstPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(sink.get(), bus.get());
  g_object_set(sink.get(), "webrtcbin-name", "pc", nullptr);
  EXPECT_EQ(gst_element_set_state(sink.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const GstMessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  ASSERT_TRUE(message);
  EXPECT_NE(error_text(message.get()).message.find("\"pc\""), std::string::npos);
  stop_promptly(sink.get());
  gst_element_set_bus(sink.get(), nullptr);
}

// A webrtcbin that is looked up in a bin of the pipeline, and starts in the same state change.
TEST(Sink, FindsItsWebrtcbinAtAnyDepth) {
  const auto pipeline = parse_pipeline(
      "fakesrc num-buffers=1 sizetype=fixed ! webrtcuploadsink name=sink webrtcbin-name=pc "
      "bin.( name=inner webrtcbin name=pc )");
  ASSERT_TRUE(pipeline);
  BusLog bus(pipeline.get());
  for (int run = 0; run < 2; ++run) {
    EXPECT_NE(set_state(pipeline.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    stop_promptly(pipeline.get());
  }
  EXPECT_EQ(bus.count(GST_MESSAGE_ERROR), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
