// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films as people have them, made by ffmpeg: what the server says of their frames, and of films in
// which there is nothing for the pipeline.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "tool/end_to_end.h"

namespace webrtcupload::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

constexpr const char* kSound = "sine=frequency=440:duration=3";
constexpr const char* kPicture = "testsrc=size=320x240:rate=25:duration=2";
// Of a film with 25 frames a second.
constexpr double kHalfAFrame = 0.02;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words generated(const std::string& source) { return {"-f", "lavfi", "-i", source}; }

class Films : public ::testing::Test {
 protected:
  Films() {
    char name[] = "/tmp/webrtc-upload-films-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Films() override { std::filesystem::remove_all(directory_); }

  std::string make(const std::string& name, const Words& options) {
    const std::string path = directory_ + "/" + name;
    Process ffmpeg(Words{"/usr/bin/ffmpeg", "-v", "error", "-nostdin"} + options + Words{path});
    EXPECT_EQ(ffmpeg.wait_for_exit(), 0) << ffmpeg.errors();
    return path;
  }

  static std::vector<double> times_of(const Server& server) {
    std::vector<double> times;
    for (const Event& frame : server.frames_of(1)) {
      times.push_back(static_cast<double>(frame.pts.value_or(-1'000'000'000)) / 1e9);
    }
    return times;
  }

  // When ffmpeg shows the frames of the first video track.
  static std::vector<double> times_by_ffmpeg(const std::string& film) {
    Process ffprobe({"/usr/bin/ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                     "frame=best_effort_timestamp_time", "-of", "csv=p=0", film});
    EXPECT_EQ(ffprobe.wait_for_exit(), 0) << ffprobe.errors();
    std::vector<double> times;
    for (const std::string& line : ffprobe.lines()) {
      if (!line.empty()) times.push_back(std::atof(line.c_str()));
    }
    return times;
  }

  // One upload to a server of its own fails with this.
  static void expect_failure(const std::string& film, const std::string& pipeline,
                             const std::string& code, const std::string& message,
                             const Words& options = {}) {
    Server server(options, pipeline);
    const Outcome sent = send(server, film);
    EXPECT_EQ(sent.status, 1) << film;
    EXPECT_THAT(sent.errors, StartsWith("webrtc-upload send: " + code + ": " + message)) << film;
    const Event end = server.wait_for_end(1);
    EXPECT_EQ(end.code, code) << film;
    EXPECT_THAT(end.message, StartsWith(message)) << film;
  }

  std::string directory_;
};

// -------------------------------------------------------------------------------------------------
// Times

struct Kind {
  const char* name;
  const char* file;
  Words options;
};

class Times : public Films, public ::testing::WithParamInterface<Kind> {};

const Words kLate = generated(kSound) + Words{"-itsoffset", "0.8"} + generated(kPicture) +
                    Words{"-map", "1:v", "-map", "0:a", "-c:v", "libx264"};

INSTANTIATE_TEST_SUITE_P(
    OfFilms, Times,
    ::testing::Values(
        Kind{"WithFramesOutOfOrder", "film.mp4", generated(kPicture) + Words{"-c:v", "libx264"}},
        Kind{"ThatIsFragmented", "film.mp4",
             generated(kPicture) + Words{"-c:v", "libx264", "-movflags",
                                         "frag_keyframe+empty_moov+default_base_moof"}},
        Kind{"WhoseSoundBeginsEarlier", "film.mkv", kLate},
        Kind{"WhoseSoundBeginsEarlierInMp4", "film.mp4", kLate},
        Kind{"WithFramesOfAnyLength", "film.mp4",
             generated(kPicture) + Words{"-vf", "select='not(mod(n,3))+gt(n,30)'", "-fps_mode",
                                         "vfr", "-c:v", "libx264"}},
        Kind{"WithoutADuration", "film.webm",
             generated(kPicture) + Words{"-c:v", "libvpx", "-live", "1"}}),
    [](const auto& param) { return std::string(param.param.name); });

// In the film, which begins at 0, though its timestamps begin elsewhere and its frames later.
TEST_P(Times, AreThoseOfTheFile) {
  const std::string film = make(GetParam().file, GetParam().options);
  Server server;
  expect_success(send(server, film));
  const std::vector<double> expected = times_by_ffmpeg(film);
  const std::vector<double> times = times_of(server);
  ASSERT_GT(expected.size(), 25U);
  ASSERT_EQ(times.size(), expected.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_NEAR(times[i], expected[i], kHalfAFrame) << "frame " << i;
  }
}

// -------------------------------------------------------------------------------------------------
// Nothing for the pipeline

TEST_F(Films, WithoutAPicture) {
  for (const char* name : {"sound.wav", "sound.mp3", "sound.m4a", "sound.webm"}) {
    const std::string film = make(name, generated(kSound));
    expect_failure(film, kDecode, "no-video", "there is no picture in this file");
  }
  // Whose sink tells the client itself.
  expect_failure(directory_ + "/sound.m4a", "decodebin ! videoconvert ! webrtcresultsink",
                 "no-video", "there is no picture in this file");
}

TEST_F(Films, WithoutASound) {
  const std::string film = make("silent.mp4", generated(kPicture) + Words{"-c:v", "libx264"});
  for (const char* decoder : {"decodebin", "decodebin3"}) {
    expect_failure(film, std::string(decoder) + " ! audioconvert ! audioresample ! fakesink",
                   "no-audio", "there is no sound in this file");
  }
}

// Those that this system has, with commas between.
std::string decoders_of(const char* caps) {
  GList* decoders =
      gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DECODER, GST_RANK_MARGINAL);
  const GstCapsPtr wanted(gst_caps_from_string(caps));
  GList* fitting = gst_element_factory_list_filter(decoders, wanted.get(), GST_PAD_SINK, FALSE);
  std::string names;
  for (const GList* item = fitting; item; item = item->next) {
    names += (names.empty() ? "" : ",") + std::string(GST_OBJECT_NAME(item->data));
  }
  gst_plugin_feature_list_free(fitting);
  gst_plugin_feature_list_free(decoders);
  return names;
}

TEST_F(Films, WhoseDecoderIsMissing) {
  const std::string film = make(
      "film.mp4", generated(kPicture) + generated(kSound) + Words{"-c:v", "libx264", "-shortest"});
  expect_failure(film, kDecode, "processing-failed",
                 "this server cannot decode the film: it has no H.264",
                 {"--deny-elements", decoders_of("video/x-h264")});
}

TEST_F(Films, WhosePixelsAreNotSquare) {
  const std::string film =
      make("film.mp4", generated(kPicture) + Words{"-vf", "setsar=4/3", "-c:v", "libx264"});
  Server server;
  expect_success(send(server, film));
  server.wait_for_end(1);
  for (const Event& frame : server.frames_of(1)) {
    ASSERT_THAT(frame.text, HasSubstr(R"("width":320,"height":240,)"
                                      R"("pixel_aspect_ratio":1.3333333333333333,)"));
  }
}

// Each frame of two fields is one frame, and it is none of two moments.
TEST_F(Films, ThatAreInterlaced) {
  const std::string film =
      make("film.mp4", generated("testsrc=size=320x240:rate=50:duration=2") +
                           Words{"-vf", "interlace", "-c:v", "libx264", "-flags", "+ilme+ildct"});
  Server server({}, "decodebin ! videoconvert ! video/x-raw,interlace-mode=progressive ! fakesink");
  expect_success(send(server, film));
  EXPECT_EQ(server.wait_for_end(1).frames, 50);
  const std::vector<double> expected = times_by_ffmpeg(film);
  const std::vector<double> times = times_of(server);
  ASSERT_EQ(times.size(), expected.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_NEAR(times[i], expected[i], kHalfAFrame) << "frame " << i;
  }
}

// Older demuxers leave out all of a clip of which more was cut away than kept since the last key
// frame. Whether one does or not, nothing is no success.
TEST_F(Films, ThatWereTrimmed) {
  const std::string film = make("film.mp4", generated("testsrc=size=320x240:rate=25:duration=4") +
                                                Words{"-c:v", "libx264", "-g", "100"});
  const std::string clip = make("clip.mp4", {"-ss", "3", "-i", film, "-c", "copy"});
  Server server;
  const Outcome sent = send(server, clip);
  const Event end = server.wait_for_end(1);
  if (end.status == "done") {
    EXPECT_EQ(sent.status, 0) << sent.errors;
    EXPECT_GE(end.frames, 25);
  } else {
    EXPECT_EQ(end.code, "processing-failed");
    EXPECT_EQ(end.message, "no frame of this file could be read");
    EXPECT_EQ(sent.errors, "webrtc-upload send: processing-failed: " + end.message + "\n");
  }
}

// There are formats whose demuxers never come to an end.
TEST_F(Films, ThatGiveNothingAndDoNotEnd) {
  const std::string film = make("film.mp4", generated(kPicture) + Words{"-c:v", "libx264"});
  // All of it, its end as well.
  expect_failure(film, std::string("valve drop=true ! ") + kDecode, "processing-failed",
                 "nothing could be read of this file within 10 seconds");
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
