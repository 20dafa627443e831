// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadvp8dec, webrtcuploadvp9dec and the webrtcuploadopaque inside: films that say they
// have an alpha channel, as browsers record them, become frames, whoever plugs the decoder, and
// only where they come out of an upload.

#include <glib/gstdio.h>
#include <gmock/gmock.h>
#include <gst/video/gstvideocodecalphameta.h>
#include <gst/video/video.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "downstream/upload_origin.h"
#include "glib/elements_in.h"
#include "support/gst_test.h"
#include "support/run_to_end.h"
#include "support/webm_film.h"

namespace webrtcupload::test {
namespace {

using Codec = WebmFilm::Codec;

// As serve decodes by default, as people write it, and the others that look for decoders by
// themselves.
constexpr const char* kDecoders[] = {
    "decodebin caps=video/x-raw(ANY) expose-all-streams=false",
    "decodebin",
    "decodebin3",
    "parsebin ! decodebin",
};

// Answers as webrtcupload does.
GstPadProbeReturn answer(GstPad* pad, GstPadProbeInfo* info, gpointer) {
  GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
  if (!asks_for_upload_origin(query)) return GST_PAD_PROBE_OK;
  const GstPtr<GstElement> upload(gst_pad_get_parent_element(pad));
  answer_upload_origin(query, upload.get());
  return GST_PAD_PROBE_HANDLED;
}

class OpaqueTest : public testing::Test {
 protected:
  void SetUp() override {
    g_autofree char* path = nullptr;
    const int fd = g_file_open_tmp("webrtcupload-XXXXXX.webm", &path, nullptr);
    ASSERT_GE(fd, 0);
    g_close(fd, nullptr);
    path_ = path;
  }
  void TearDown() override { g_unlink(path_.c_str()); }

  void store(const WebmFilm& film) {
    const auto bytes = make_webm(film);
    ASSERT_TRUE(g_file_set_contents(path_.c_str(), reinterpret_cast<const char*>(bytes.data()),
                                    static_cast<gssize>(bytes.size()), nullptr));
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  struct Seen {
    int frames = 0;
    std::string format;
    // Of the middle of the last frame.
    std::optional<int> luma;
    // Whether one of our decoders was plugged.
    bool ours = false;
  };

  Seen play(const std::string& decoder) {
    const auto pipeline = parse_pipeline("filesrc name=file location=" + path_ + " ! " + decoder +
                                         " ! video/x-raw ! fakesink name=sink sync=false "
                                         "signal-handoffs=true");
    Seen seen;
    if (!pipeline) return seen;
    const auto file = element_named(pipeline, "file");
    const GstPtr<GstPad> pad(gst_element_get_static_pad(file.get(), "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_QUERY_UPSTREAM, answer, nullptr, nullptr);
    const auto sink = element_named(pipeline, "sink");
    g_signal_connect(sink.get(), "handoff", G_CALLBACK(on_frame), &seen);
    EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    EXPECT_TRUE(wait_for_end(pipeline.get()));
    for (const char* name : {"webrtcuploadvp8dec", "webrtcuploadvp9dec"}) {
      seen.ours = seen.ours || element_made_by(GST_BIN(pipeline.get()), name) != nullptr;
    }
    stop_promptly(pipeline.get());
    return seen;
  }

 private:
  static void on_frame(GstElement*, GstBuffer* buffer, GstPad* pad, Seen* seen) {
    ++seen->frames;
    const GstCapsPtr caps(gst_pad_get_current_caps(pad));
    GstVideoInfo info;
    GstVideoFrame frame;
    if (!gst_video_info_from_caps(&info, caps.get()) ||
        !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
      return;
    }
    seen->format = GST_VIDEO_INFO_NAME(&info);
    const auto* luma = static_cast<const guint8*>(GST_VIDEO_FRAME_COMP_DATA(&frame, 0));
    seen->luma =
        luma[GST_VIDEO_FRAME_COMP_STRIDE(&frame, 0) * WebmFilm::kHeight / 2 + WebmFilm::kWidth / 2];
    gst_video_frame_unmap(&frame);
  }

  std::string path_;
};

class EveryDecoder
    : public OpaqueTest,
      public testing::WithParamInterface<std::tuple<Codec, bool, bool, const char*>> {};

TEST_P(EveryDecoder, GivesTheColoursOfEveryFrame) {
  const auto [codec, alpha_data, sound, decoder] = GetParam();
  WebmFilm film;
  film.codec = codec;
  film.alpha_data = alpha_data;
  film.sound = sound;
  store(film);
  const Seen seen = play(decoder);
  EXPECT_EQ(seen.frames, film.frames);
  EXPECT_EQ(seen.format, "I420");
  ASSERT_TRUE(seen.luma.has_value());
  EXPECT_NEAR(*seen.luma, WebmFilm::kLuma, 3);
  EXPECT_TRUE(seen.ours);
}
INSTANTIATE_TEST_SUITE_P(All, EveryDecoder,
                         testing::Combine(testing::Values(Codec::kVp8, Codec::kVp9),
                                          testing::Bool(), testing::Bool(),
                                          testing::ValuesIn(kDecoders)),
                         [](const auto& param) {
                           const std::string decoder = std::get<3>(param.param);
                           return std::string(std::get<0>(param.param) == Codec::kVp8 ? "Vp8"
                                                                                      : "Vp9") +
                                  (std::get<1>(param.param) ? "WithAlpha" : "WithoutAlpha") +
                                  (std::get<2>(param.param) ? "AndSound" : "") +
                                  (decoder == kDecoders[0]   ? "ByDefault"
                                   : decoder == kDecoders[1] ? "ByDecodebin"
                                   : decoder == kDecoders[2] ? "ByDecodebin3"
                                                             : "ByParsebin");
                         });

TEST_F(OpaqueTest, AFilmThatSaysNothingOfAlphaNeedsNone) {
  WebmFilm film;
  film.alpha_mode = false;
  store(film);
  const Seen seen = play("decodebin");
  EXPECT_EQ(seen.frames, film.frames);
  EXPECT_FALSE(seen.ours);
}

// What a program plays from elsewhere is none of our business: decodebin goes on to the decoder
// that it would choose without us.
TEST_F(OpaqueTest, AFilmThatIsNoUploadKeepsItsAlpha) {
  WebmFilm film;
  film.alpha_data = true;
  store(film);
  const auto pipeline = parse_pipeline("filesrc location=" + path() +
                                       " ! decodebin name=decoder ! fakesink sync=false");
  const auto decoder = element_named(pipeline, "decoder");
  std::vector<std::string> tried;
  g_signal_connect(decoder.get(), "autoplug-select",
                   G_CALLBACK(+[](GstElement*, GstPad*, GstCaps*, GstElementFactory* factory,
                                  std::vector<std::string>* names) {
                     names->emplace_back(gst_plugin_feature_get_name(factory));
                     // Some versions' decoder of alpha channels leaks frames: it is not run.
                     constexpr gint kTry = 0;
                     constexpr gint kExpose = 1;
                     return names->back() == "vp8alphadecodebin" ? kExpose : kTry;
                   }),
                   &tried);
  EXPECT_TRUE(run_to_end(pipeline.get()));
  ASSERT_GE(tried.size(), 2U);
  EXPECT_THAT(tried, testing::Contains("webrtcuploadvp8dec")) << "it has to have been refused";
  EXPECT_EQ(tried.back(), "vp8alphadecodebin");
}

TEST_F(OpaqueTest, TakesTheAlphaOfABufferAway) {
  const auto pipeline = parse_pipeline(
      "webrtcuploadopaque name=opaque ! fakesink name=sink async=false signal-handoffs=true");
  const auto opaque = element_named(pipeline, "opaque");
  const auto sink = element_named(pipeline, "sink");
  struct Counts {
    int with_alpha = 0;
    int without = 0;
  } counts;
  g_signal_connect(
      sink.get(), "handoff",
      G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, Counts* counted) {
        ++(gst_buffer_get_video_codec_alpha_meta(buffer) ? counted->with_alpha : counted->without);
      }),
      &counts);
  const GstPtr<GstPad> source(gst_pad_new("src", GST_PAD_SRC));
  gst_object_ref_sink(source.get());
  gst_pad_set_active(source.get(), TRUE);
  gst_pad_set_query_function(
      source.get(), +[](GstPad* pad, GstObject* parent, GstQuery* query) -> gboolean {
        if (!asks_for_upload_origin(query)) return gst_pad_query_default(pad, parent, query);
        answer_upload_origin(query, static_cast<GstElement*>(pad->querydata));
        return TRUE;
      });
  source->querydata = sink.get();  // Which element it is does not matter.
  const GstPtr<GstPad> in(gst_element_get_static_pad(opaque.get(), "sink"));
  ASSERT_EQ(gst_pad_link(source.get(), in.get()), GST_PAD_LINK_OK);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  gst_pad_push_event(source.get(), gst_event_new_stream_start("film"));
  const GstCapsPtr caps(gst_caps_from_string("video/x-vp8, codec-alpha=(boolean)true, width=64"));
  ASSERT_TRUE(gst_pad_push_event(source.get(), gst_event_new_caps(caps.get())));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(source.get(), gst_event_new_segment(&segment));

  // Also of one that somebody else holds, who keeps it.
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 8, nullptr);
  gst_buffer_add_video_codec_alpha_meta(buffer, gst_buffer_new_allocate(nullptr, 4, nullptr));
  EXPECT_EQ(gst_pad_push(source.get(), gst_buffer_ref(buffer)), GST_FLOW_OK);
  EXPECT_TRUE(gst_buffer_get_video_codec_alpha_meta(buffer));
  EXPECT_EQ(gst_pad_push(source.get(), buffer), GST_FLOW_OK);
  EXPECT_EQ(counts.with_alpha, 0);
  EXPECT_EQ(counts.without, 2);

  const GstPtr<GstPad> out(gst_element_get_static_pad(opaque.get(), "src"));
  const GstCapsPtr made(gst_pad_get_current_caps(out.get()));
  const GstCapsPtr expected(gst_caps_from_string("video/x-vp8, width=64"));
  EXPECT_TRUE(gst_caps_is_equal(made.get(), expected.get()));
  gst_pad_unlink(source.get(), in.get());
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

}  // namespace
}  // namespace webrtcupload::test
