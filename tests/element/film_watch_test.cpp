// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films above a limit, from a file, before both decodebins: what exceeds it reaches no decoder.

#include "downstream/film_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <unistd.h>

#include "support/gst_test.h"
#include "support/run_to_end.h"
#include "support/sample_films.h"

namespace webrtcupload {
namespace {

using test::BusLog;
using test::element_named;
using test::eventually;
using test::jpeg_without_picture;
using test::matroska_film;
using test::matroska_track;
using test::mp4_film;
using test::mp4_track;
using test::parse_pipeline;
using test::stop_promptly;
using test::vp8_key_frame;

class FilmWatchTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-films-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override {
    stop();
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(directory_.c_str());
  }

  std::string path(const std::string& name) {
    files_.insert(directory_ + "/" + name);
    return directory_ + "/" + name;
  }

  std::string written(const std::string& content) {
    const std::string file = path("film" + std::to_string(files_.size()));
    std::ofstream(file) << content;
    return file;
  }

  // By a pipeline that ends in a file.
  std::string made(const std::string& description) {
    const std::string file = path("film" + std::to_string(files_.size()));
    EXPECT_TRUE(test::run_to_end(description + " ! filesink location=" + file));
    return file;
  }

  // `description` has a filesrc called "source", which is watched.
  void play(const std::string& description, const FilmLimits& limits) {
    stop();
    pipeline_ = parse_pipeline(description);
    ASSERT_TRUE(pipeline_);
    bus_ = std::make_unique<BusLog>(pipeline_.get());
    elements_ = SignalConnection(
        pipeline_.get(), "deep-element-added",
        G_CALLBACK(+[](GstBin*, GstBin*, GstElement* element, FilmWatchTest** self) {
          const char* classes = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
          const bool is_bin = GST_IS_BIN(element);
          if (!is_bin && std::string(classes).find("Decoder") != std::string::npos) {
            ++(*self)->decoders_;
          }
        }),
        this);
    const auto source = element_named(pipeline_, "source");
    watch_ = std::make_unique<FilmWatch>(source.get(), limits, [this](const Error& error) {
      const std::lock_guard lock(mutex_);
      errors_.push_back(error);
    });
    for (const char* name : {"sink", "other"}) {
      const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
      if (!sink) continue;
      const GstPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
      gst_pad_add_probe(
          pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
          [](GstPad*, GstPadProbeInfo*, gpointer count) {
            ++*static_cast<std::atomic<int>*>(count);
            return GST_PAD_PROBE_OK;
          },
          &frames_, nullptr);
    }
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  }

  void play_film(const std::string& file, const FilmLimits& limits) {
    play("filesrc name=source location=" + file + " ! " + GetParam() +
             " ! fakesink name=sink sync=false",
         limits);
  }

  std::vector<Error> errors() {
    const std::lock_guard lock(mutex_);
    return errors_;
  }

  void expect_refused(ErrorCode code) {
    ASSERT_TRUE(eventually([&] { return !errors().empty(); }));
    stop();
    // Once, though all that follows exceeds it as well.
    ASSERT_EQ(errors().size(), 1U);
    EXPECT_EQ(to_string(errors()[0].code), to_string(code)) << errors()[0].message;
  }

  void expect_played() {
    EXPECT_TRUE(bus_->wait(GST_MESSAGE_EOS));
    stop();
    EXPECT_TRUE(errors().empty()) << errors()[0].message;
  }

  void stop() {
    if (!pipeline_) return;
    stop_promptly(pipeline_.get());
    watch_.reset();
    elements_.disconnect();
    bus_.reset();
    pipeline_.reset();
  }

  std::string directory_;
  std::set<std::string> files_;
  GstPtr<GstElement> pipeline_;
  std::unique_ptr<BusLog> bus_;
  SignalConnection elements_;
  std::unique_ptr<FilmWatch> watch_;
  std::atomic<int> frames_ = 0;
  std::atomic<int> decoders_ = 0;
  std::mutex mutex_;
  std::vector<Error> errors_;
};

INSTANTIATE_TEST_SUITE_P(Both, FilmWatchTest, ::testing::Values("decodebin", "decodebin3"),
                         [](const auto& which) { return std::string(which.param); });

constexpr const char* kPictures =
    "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc ! ";

TEST_P(FilmWatchTest, WhatIsAtTheLimitsIsPlayed) {
  play_film(made(std::string(kPictures) + "matroskamux"), {.max_pixels = 320 * 240,
                                                           .max_duration = std::chrono::seconds(2),
                                                           .max_frames = 30,
                                                           .max_streams = 1});
  expect_played();
  EXPECT_EQ(frames_, 30);
}

TEST_P(FilmWatchTest, ZeroIsNoLimit) {
  play_film(made(std::string(kPictures) + "matroskamux"),
            {.max_pixels = 0, .max_duration = Duration{}, .max_frames = 0, .max_streams = 0});
  expect_played();
  EXPECT_EQ(frames_, 30);
}

TEST_P(FilmWatchTest, PictureThatTheContainerTells) {
  for (const std::string& film : {matroska_film({.tracks = matroska_track(1, 16384, 16384)}),
                                  mp4_film(mp4_track({.width = 16384, .height = 16384}))}) {
    errors_.clear();
    play_film(written(film), {});
    expect_refused(ErrorCode::kTooLargePicture);
    EXPECT_EQ(frames_, 0);
  }
}

// The container says 64x64.
TEST_P(FilmWatchTest, PictureThatOnlyTheFirstFrameTells) {
  for (const std::string& film :
       {matroska_film({.frame = jpeg_without_picture(16384, 16384)}),
        mp4_film(mp4_track({.sample_size = 30}), jpeg_without_picture(16384, 16384)),
        matroska_film({.tracks = matroska_track(1, 64, 64, "V_VP8"),
        .frame = vp8_key_frame(16383, 16383),
        .type = "webm"})}) {
    errors_.clear();
    play_film(written(film), {});
    expect_refused(ErrorCode::kTooLargePicture);
    EXPECT_EQ(frames_, 0);
  }
}

TEST_P(FilmWatchTest, FramesAreCounted) {
  play_film(made(std::string(kPictures) + "matroskamux"), {.max_frames = 20});
  expect_refused(ErrorCode::kTooManyFrames);
  EXPECT_LE(frames_, 20);
}

TEST_P(FilmWatchTest, TimestampsAreLookedAt) {
  // The container does not tell how long it is, and the queue keeps the demuxer from looking at its
  // end.
  const std::string file = made(
      "videotestsrc num-buffers=30 ! video/x-raw,width=64,height=64,framerate=1/3600 ! jpegenc "
      "! matroskamux streamable=true");
  play("filesrc name=source location=" + file + " ! queue ! typefind ! " + GetParam() +
           " ! fakesink name=sink sync=false",
       {.max_duration = std::chrono::hours(10)});
  expect_refused(ErrorCode::kTooLong);
  EXPECT_LE(frames_, 11);
}

TEST_P(FilmWatchTest, StreamsAreCountedBeforeTheyAreDecoded) {
  std::string tracks;
  for (unsigned i = 1; i <= 300; ++i) tracks += matroska_track(i);
  play_film(written(matroska_film({.tracks = tracks})), {.max_streams = 8});
  expect_refused(ErrorCode::kTooManyStreams);
  EXPECT_LE(decoders_, 8);
}

TEST_P(FilmWatchTest, TagsAreMeasured) {
  play("appsrc name=source ! jpegdec name=decoder ! fakesink name=sink", {});
  // With a cover of that size, of which nothing is touched.
  const auto tell = [this](std::uint64_t size) {
    GstBuffer* cover = gst_buffer_new_allocate(nullptr, size, nullptr);
    GstSample* sample = gst_sample_new(cover, nullptr, nullptr, nullptr);
    gst_buffer_unref(cover);
    GstTagList* tags = gst_tag_list_new(GST_TAG_IMAGE, sample, GST_TAG_TITLE, "title", nullptr);
    gst_sample_unref(sample);
    const auto decoder = element_named(pipeline_, "decoder");
    const GstPtr<GstPad> pad(gst_element_get_static_pad(decoder.get(), "sink"));
    gst_pad_send_event(pad.get(), gst_event_new_tag(tags));
  };
  tell(kMaxMetadata - 5);
  EXPECT_TRUE(errors().empty());
  tell(kMaxMetadata - 4);
  expect_refused(ErrorCode::kTooMuchMetadata);
}

// An application may have anything else in the same pipeline.
TEST_P(FilmWatchTest, OnlyWhatTheSourceFeeds) {
  const std::string small =
      made("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=64 ! jpegenc ! matroskamux");
  const std::string large = made(std::string(kPictures) + "matroskamux");
  const std::string decode = std::string(" ! ") + GetParam() + " ! fakesink sync=false name=";
  play("filesrc name=source location=" + small + decode + "sink filesrc location=" + large +
           decode + "other",
       {.max_pixels = 64 * 64, .max_frames = 5});
  expect_played();
  EXPECT_EQ(frames_, 35);
}

// Nor are they counted with those of the film.
TEST_P(FilmWatchTest, StreamsOfTheFilmAlone) {
  const std::string one = made(std::string(kPictures) + "matroskamux");
  const std::string two = made("videotestsrc num-buffers=5 ! jpegenc ! mux. " +
                               std::string(kPictures) + "matroskamux name=mux");
  play("filesrc name=source location=" + one + " ! " + GetParam() +
           " ! fakesink name=sink sync=false filesrc location=" + two +
           " ! matroskademux name=d ! queue ! fakesink sync=false d. ! queue ! fakesink sync=false",
       {.max_streams = 1});
  expect_played();
  EXPECT_EQ(frames_, 30);
}

// What a pipeline makes of a film is its own affair.
TEST_P(FilmWatchTest, WhatIsEncodedIsNoLongerTheFilm) {
  play("filesrc name=source location=" + made(std::string(kPictures) + "matroskamux") + " ! " +
           GetParam() +
           " ! videoscale ! video/x-raw,width=640,height=480 ! jpegenc ! jpegparse ! jpegdec ! "
           "fakesink name=sink sync=false",
       {.max_pixels = 320 * 240});
  expect_played();
  EXPECT_EQ(frames_, 30);
}

// What it has put on pads is gone with it.
TEST_P(FilmWatchTest, IsOverWhenItIsDestroyed) {
  const std::string file = made(std::string(kPictures) + "matroskamux");
  play("filesrc name=source location=" + file +
           " ! matroskademux ! jpegdec ! fakesink name=sink sync=false",
       {.max_frames = 1});
  expect_refused(ErrorCode::kTooManyFrames);
  errors_.clear();
  pipeline_ = parse_pipeline("filesrc name=source location=" + file +
                             " ! matroskademux ! jpegdec ! fakesink sync=false");
  bus_ = std::make_unique<BusLog>(pipeline_.get());
  const auto source = element_named(pipeline_, "source");
  watch_ = std::make_unique<FilmWatch>(source.get(), FilmLimits{.max_frames = 1},
                                       [](const Error&) { ADD_FAILURE(); });
  watch_.reset();
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  expect_played();
}

}  // namespace
}  // namespace webrtcupload
