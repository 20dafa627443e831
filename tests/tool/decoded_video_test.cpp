// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What happens between decoding and analysis: videos stand upright, and real time is kept.

#include "tool/session/decoded_video.h"

#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "glib/glib_ptr.h"
#include "support/run_to_end.h"
#include "tool/session/pacer.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Plays to the end, and is not stopped.
[[nodiscard]] testing::AssertionResult run(GstElement* pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  return test::wait_for_end(pipeline);
}

GstPtr<GstElement> parse(const std::string& description) {
  GError* error = nullptr;
  GstElement* element =
      gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (error) {
    ADD_FAILURE() << error->message;
    g_clear_error(&error);
  }
  return GstPtr<GstElement>(element ? GST_ELEMENT(gst_object_ref_sink(element)) : nullptr);
}

// A video of 32x16 whose track header says that it is to be turned by a quarter to be seen upright.
class DecodedVideo : public ::testing::Test {
 protected:
  static constexpr int kFrames = 6;

  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-test-XXXXXX";
    directory_ = mkdtemp(name);
    const auto plain = parse("videotestsrc num-buffers=" + std::to_string(kFrames) +
                             " ! video/x-raw,width=32,height=16,framerate=25/1 ! x264enc "
                             "! mp4mux ! filesink location=" +
                             file("plain.mp4"));
    ASSERT_TRUE(run(plain.get()));
    gst_element_set_state(plain.get(), GST_STATE_NULL);
    turn(file("plain.mp4"), file("turned.mp4"));
  }
  void TearDown() override { fs::remove_all(directory_); }

  [[nodiscard]] std::string file(const std::string& name) const { return directory_ + "/" + name; }

  // Writes the matrix of a quarter turn into the track header (ISO/IEC 14496-12, 8.3.2).
  static void turn(const std::string& from, const std::string& to) {
    std::ifstream in(from, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const std::size_t header = bytes.find("tkhd");
    ASSERT_NE(header, std::string::npos);
    const std::size_t matrix = header + 4 + 40;
    ASSERT_LT(matrix + 36, bytes.size());
    const std::string one("\x00\x01\x00\x00", 4), minus_one("\xff\xff\x00\x00", 4), zero(4, '\0');
    bytes.replace(matrix, 16, zero + one + zero + minus_one);
    bytes.replace(matrix + 16, 4, zero);
    std::ofstream(to, std::ios::binary) << bytes;
  }

  struct Seen {
    int width = 0;
    int height = 0;
    int frames = 0;
  };

  Seen play(const std::string& name, const std::string& rest, std::shared_ptr<Pacer> pacer = {}) {
    const auto pipeline = parse("filesrc location=" + file(name) + " ! decodebin ! " + rest +
                                " ! fakesink name=out signal-handoffs=true");
    Seen seen;
    if (!pipeline) return seen;
    prepare_decoded_video(pipeline.get(), std::move(pacer));
    const GstPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline.get()), "out"));
    g_signal_connect(out.get(), "handoff",
                     G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad* pad, Seen* counted) {
                       ++counted->frames;
                       const GstCapsPtr caps(gst_pad_get_current_caps(pad));
                       GstVideoInfo info;
                       if (!caps || !gst_video_info_from_caps(&info, caps.get())) return;
                       counted->width = GST_VIDEO_INFO_WIDTH(&info);
                       counted->height = GST_VIDEO_INFO_HEIGHT(&info);
                     }),
                     &seen);
    EXPECT_TRUE(run(pipeline.get()));
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    return seen;
  }

  std::string directory_;
};

TEST_F(DecodedVideo, StaysAsItIsWhenItStandsUpright) {
  const Seen seen = play("plain.mp4", "videoconvert");
  EXPECT_EQ(seen.width, 32);
  EXPECT_EQ(seen.height, 16);
  EXPECT_EQ(seen.frames, kFrames);
}

TEST_F(DecodedVideo, IsTurnedBeforeTheAnalysisSeesIt) {
  const Seen seen = play("turned.mp4", "videoconvert");
  EXPECT_EQ(seen.width, 16);
  EXPECT_EQ(seen.height, 32);
  EXPECT_EQ(seen.frames, kFrames);
}

TEST_F(DecodedVideo, IsNotTurnedTwiceWhereThePipelineDoesItAsWell) {
  const Seen seen = play("turned.mp4", "videoconvert ! videoflip video-direction=auto");
  EXPECT_EQ(seen.width, 16);
  EXPECT_EQ(seen.height, 32);
}

TEST_F(DecodedVideo, IsDroppedByAPacerThatHasStopped) {
  const auto pacer = std::make_shared<Pacer>();
  pacer->stop();
  EXPECT_EQ(play("plain.mp4", "videoconvert", pacer).frames, 0);
}

TEST_F(DecodedVideo, LosesNothingToAPacerWhileNothingIsLate) {
  // For it, no time passes, and all of it is long ago.
  const auto pacer = std::make_shared<Pacer>([] { return Pacer::Clock::time_point(); });
  EXPECT_EQ(play("plain.mp4", "videoconvert", pacer).frames, kFrames);
}

// Time as the test says.
class PacerTest : public ::testing::Test {
 protected:
  Pacer::Clock::time_point now_{seconds(100)};
  Pacer pacer_{[this] { return now_; }};
};

TEST_F(PacerTest, TheFirstFrameSetsTheClock) {
  EXPECT_TRUE(pacer_.admit(7 * GST_SECOND));
  now_ += seconds(1);
  EXPECT_TRUE(pacer_.admit(8 * GST_SECOND));
}

TEST_F(PacerTest, DropsWhatIsLate) {
  EXPECT_TRUE(pacer_.admit(0));
  now_ += milliseconds(500);
  EXPECT_FALSE(pacer_.admit(300 * GST_MSECOND));
  EXPECT_TRUE(pacer_.admit(400 * GST_MSECOND)) << "just as late as is allowed";
}

TEST_F(PacerTest, LetsOneThroughNowAndThenWhereAllAreLate) {
  EXPECT_TRUE(pacer_.admit(0));
  now_ += milliseconds(999);
  EXPECT_FALSE(pacer_.admit(1 * GST_MSECOND));
  now_ += milliseconds(1);
  EXPECT_TRUE(pacer_.admit(2 * GST_MSECOND));
  EXPECT_FALSE(pacer_.admit(3 * GST_MSECOND));
}

TEST_F(PacerTest, WithoutATimestampThereIsNoTime) {
  EXPECT_TRUE(pacer_.admit(0));
  now_ += seconds(10);
  EXPECT_TRUE(pacer_.admit(GST_CLOCK_TIME_NONE));
}

TEST_F(PacerTest, StartsAnewWhenTimestampsGoBack) {
  EXPECT_TRUE(pacer_.admit(10 * GST_SECOND));
  now_ += seconds(5);
  EXPECT_TRUE(pacer_.admit(1 * GST_SECOND));
  EXPECT_TRUE(pacer_.admit(1 * GST_SECOND));
}

TEST(Pacer, AFrameOfTomorrowIsWaitedForUntilItStops) {
  Pacer pacer;
  ASSERT_TRUE(pacer.admit(0));
  auto admitted =
      std::async(std::launch::async, [&] { return pacer.admit(24 * 3600 * GST_SECOND); });
  EXPECT_EQ(admitted.wait_for(milliseconds(50)), std::future_status::timeout);
  pacer.stop();
  EXPECT_FALSE(admitted.get());
  EXPECT_FALSE(pacer.admit(0));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
