// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the real facedetect, zbar and motioncells say becomes detections.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "results/detections.h"
#include "support/run_to_end.h"

namespace webrtcupload {
namespace {

// A pipeline with an analyser and a fakesink named "out": messages are collected as they are
// posted, each frame is asked for when it reaches the sink.
class RealAnalysers : public testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

  using FrameHandler =
      std::function<void(GstClockTime pts, const GstVideoInfo& info, std::vector<Detection>)>;

  void run(const std::string& description, FrameHandler handler) {
    GError* error = nullptr;
    GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
    ASSERT_EQ(error, nullptr) << error->message;
    handler_ = std::move(handler);

    GstBus* bus = gst_element_get_bus(pipeline);
    gst_bus_set_sync_handler(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) {
          static_cast<RealAnalysers*>(self)->collector_.add_message(message);
          return GST_BUS_PASS;
        },
        this, nullptr);
    GstElement* out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    GstPad* pad = gst_element_get_static_pad(out, "sink");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad* sink, GstPadProbeInfo* probe, gpointer self) {
          static_cast<RealAnalysers*>(self)->on_frame(sink, GST_PAD_PROBE_INFO_BUFFER(probe));
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
    gst_object_unref(pad);
    gst_object_unref(out);

    EXPECT_TRUE(test::run_to_end(pipeline));
    gst_bus_set_sync_handler(bus, nullptr, nullptr, nullptr);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
  }

  DetectionCollector collector_;

 private:
  void on_frame(GstPad* sink, GstBuffer* frame) {
    GstCaps* caps = gst_pad_get_current_caps(sink);
    GstVideoInfo info;
    ASSERT_TRUE(gst_video_info_from_caps(&info, caps));
    gst_caps_unref(caps);
    handler_(GST_BUFFER_PTS(frame), info, collector_.take(frame, &info));
  }

  FrameHandler handler_;
};

bool have(const char* element) {
  GstElementFactory* factory = gst_element_factory_find(element);
  if (factory != nullptr) {
    gst_object_unref(factory);
  }
  return factory != nullptr;
}

constexpr char kCascade[] = "/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml";

// The film of the demo with the demo's analyser: a queue and a scaler between them and the sink, as
// real pipelines have.
TEST_F(RealAnalysers, FacedetectFindsThePeopleOfTheDemo) {
  if (!have("facedetect") || !std::filesystem::exists(kCascade)) {
    GTEST_SKIP() << "needs OpenCV's elements and cascades";
  }
  std::string directory = ::testing::TempDir() + "detections.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string film = directory + "/film.mp4";
  ASSERT_EQ(std::system((std::string(MAKE_VIDEO) + " " + film + " 12").c_str()), 0);

  int frames = 0;
  run("filesrc location=" + film + " ! decodebin ! videoconvert ! facedetect profile=" + kCascade +
          " display=false scale-factor=1.1 min-neighbors=3 min-size-width=28 min-size-height=56 "
          "! queue ! videoscale ! video/x-raw,width=320,height=240 ! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo& info, const std::vector<Detection>& found) {
        ++frames;
        // The left one is 110 pixels tall at half size 55, feet at (60 + frame, 150); the right
        // one's are at (260 - frame, 185).
        bool left = false;
        bool right = false;
        for (const Detection& detection : found) {
          EXPECT_EQ(detection.label, "person");
          ASSERT_TRUE(detection.box.has_value());
          const Box& box = *detection.box;
          EXPECT_GE(box.x - box.width / 2, 0);
          EXPECT_LE(box.x + box.width / 2, GST_VIDEO_INFO_WIDTH(&info));
          left = left || (std::abs(box.x - 62) < 14 && std::abs(box.y - 122) < 25);
          right = right || (std::abs(box.x - 258) < 14 && std::abs(box.y - 152) < 25);
        }
        EXPECT_TRUE(left) << "frame " << frames;
        EXPECT_TRUE(right) << "frame " << frames;
        EXPECT_LE(found.size(), 4U) << "the same person twice";
      });
  EXPECT_EQ(frames, 12);
  std::filesystem::remove_all(directory);
}

// The bars of an EAN-13 number, one character per module: '1' is black.
std::string ean13_modules(const std::string& digits) {
  static constexpr const char* kLeftOdd[] = {"0001101", "0011001", "0010011", "0111101", "0100011",
                                             "0110001", "0101111", "0111011", "0110111", "0001011"};
  static constexpr const char* kParity[] = {"LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG",
                                            "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"};
  const auto inverted = [](std::string code) {
    for (char& bit : code) {
      bit = bit == '0' ? '1' : '0';
    }
    return code;
  };
  const std::string parity = kParity[digits[0] - '0'];
  std::string modules = "101";
  for (int i = 1; i <= 6; ++i) {
    const std::string code = kLeftOdd[digits[i] - '0'];
    const std::string right = inverted(code);
    modules += parity[i - 1] == 'L' ? code : std::string(right.rbegin(), right.rend());
  }
  modules += "01010";
  for (int i = 7; i <= 12; ++i) {
    modules += inverted(kLeftOdd[digits[i] - '0']);
  }
  return modules + "101";
}

TEST_F(RealAnalysers, ZbarReadsABarcode) {
  if (!have("zbar")) {
    GTEST_SKIP() << "needs the zbar element";
  }
  // Three pixels to a module, twelve modules of quiet zone, in the Y plane of an otherwise grey
  // I420 frame.
  constexpr int kWidth = 360;
  constexpr int kHeight = 120;
  const std::string modules = ean13_modules("4006381333931");
  ASSERT_EQ(modules.size(), 95U);
  std::string picture(kWidth * kHeight * 3 / 2, '\x80');
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int module = x / 3 - 12;
      const bool black =
          module >= 0 && module < 95 && modules[static_cast<std::size_t>(module)] == '1';
      picture[static_cast<std::size_t>(y * kWidth + x)] = black ? '\x10' : '\xeb';
    }
  }
  std::string directory = ::testing::TempDir() + "detections.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string file = directory + "/barcode.yuv";
  ASSERT_TRUE(g_file_set_contents(file.c_str(), picture.data(), static_cast<gssize>(picture.size()),
                                  nullptr));

  std::vector<Detection> all;
  run("filesrc location=" + file +
          " ! rawvideoparse format=i420 width=360 height=120 ! zbar "
          "! queue ! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo&, const std::vector<Detection>& found) {
        all.insert(all.end(), found.begin(), found.end());
      });
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], (Detection{"EAN-13", std::nullopt, std::nullopt, "4006381333931"}));
  std::filesystem::remove_all(directory);
}

TEST_F(RealAnalysers, MotioncellsSaysWhere) {
  if (!have("motioncells")) {
    GTEST_SKIP() << "needs OpenCV's elements";
  }
  // A ball on black moves about a quarter of the frame: the lower right one, by the crop around it.
  std::vector<Detection> all;
  run("videotestsrc pattern=ball num-buffers=20 ! video/x-raw,width=160,height=120,framerate=10/1 "
      "! videobox left=-160 top=-120 autocrop=false ! videoconvert "
      "! motioncells display=false postallmotion=true gridx=8 gridy=8 "
      "! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo& info, const std::vector<Detection>& found) {
        EXPECT_EQ(GST_VIDEO_INFO_WIDTH(&info), 320);
        all.insert(all.end(), found.begin(), found.end());
      });
  ASSERT_FALSE(all.empty());
  for (const Detection& detection : all) {
    EXPECT_EQ(detection.label, "motion");
    EXPECT_FALSE(detection.text.empty());
    ASSERT_TRUE(detection.box.has_value()) << detection.text;
    const Box& box = *detection.box;
    EXPECT_GE(box.x - box.width / 2, 160 - 40);
    EXPECT_GE(box.y - box.height / 2, 120 - 30);
    EXPECT_LE(box.x + box.width / 2, 320);
    EXPECT_LE(box.y + box.height / 2, 240);
  }
}

}  // namespace
}  // namespace webrtcupload
