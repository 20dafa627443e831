// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Real inference: tiny neural networks in GStreamer's own elements, whose objects and tracks become
// detections in the pixels of the frame that reaches the end.

#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "results/detections.h"
#include "support/run_to_end.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;

constexpr int kFrames = 3;

class Networks : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

  void SetUp() override {
    for (const char* name : {"onnxinference", "ssdtensordec", "yolov8tensordec", "ioutracker"}) {
      const GstPtr<GstElementFactory> factory(gst_element_factory_find(name));
      if (!factory) GTEST_SKIP() << "needs " << name << ", which GStreamer has since 1.28";
    }
    char name[] = "/tmp/webrtc-upload-networks-XXXXXX";
    directory_ = mkdtemp(name);
    ASSERT_EQ(std::system((std::string("python3 " MAKE_DETECTOR_MODELS " ") + directory_).c_str()),
              0)
        << "it needs python3-onnx";
  }
  void TearDown() override {
    if (!directory_.empty()) fs::remove_all(directory_);
  }

  // What is detected in each frame of a film of 320x240.
  std::vector<std::vector<Detection>> analyse(const std::string& rest) {
    const std::string network = GetParam();
    const std::string description =
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,width=320,height=240,framerate=25/1 "
        "! videoconvertscale add-borders=false ! onnxinference model-file=" +
        directory_ + "/" + network + ".onnx ! " +
        (network == "yolo" ? "yolov8tensordec" : "ssdtensordec") + " label-file=" + directory_ +
        "/labels.txt ! " + rest + " ! fakesink name=out signal-handoffs=true";
    GError* error = nullptr;
    GstElement* parsed = gst_parse_launch(description.c_str(), &error);
    if (error) {
      ADD_FAILURE() << error->message;
      g_clear_error(&error);
      return {};
    }
    const GstPtr<GstElement> pipeline(GST_ELEMENT(gst_object_ref_sink(parsed)));
    struct Seen {
      DetectionCollector collector;
      std::vector<std::vector<Detection>> frames;
      int width = 0;
      int height = 0;
    } seen;
    const GstPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline.get()), "out"));
    g_signal_connect(out.get(), "handoff",
                     G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad* pad, Seen* all) {
                       const GstCapsPtr caps(gst_pad_get_current_caps(pad));
                       GstVideoInfo info;
                       ASSERT_TRUE(gst_video_info_from_caps(&info, caps.get()));
                       all->width = GST_VIDEO_INFO_WIDTH(&info);
                       all->height = GST_VIDEO_INFO_HEIGHT(&info);
                       all->frames.push_back(all->collector.take(buffer, &info));
                     }),
                     &seen);
    EXPECT_TRUE(test::run_to_end(pipeline.get()));
    width_ = seen.width;
    height_ = seen.height;
    return seen.frames;
  }

  std::string directory_;
  int width_ = 0;
  int height_ = 0;
};

TEST_P(Networks, BoxesAreInThePixelsOfTheFrameAndNotOfTheNetwork) {
  const auto frames =
      analyse("videoconvertscale add-borders=false ! video/x-raw,width=320,height=240");
  EXPECT_EQ(width_, 320);
  ASSERT_EQ(frames.size(), static_cast<std::size_t>(kFrames));
  for (const auto& found : frames) {
    ASSERT_EQ(found.size(), 2U);
    // The network saw them in a picture of 64x64.
    EXPECT_EQ(found[0], (Detection{"person", Box{160, 60, 160, 60}, 0.875, ""}));
    EXPECT_EQ(found[1], (Detection{"car", Box{40, 180, 40, 60}, 0.75, ""}));
  }
}

TEST_P(Networks, WithoutAScalerTheFrameIsWhatTheNetworkSaw) {
  const auto frames = analyse("identity");
  EXPECT_EQ(width_, 64);
  EXPECT_EQ(height_, 64);
  ASSERT_EQ(frames.size(), static_cast<std::size_t>(kFrames));
  for (const auto& found : frames) {
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].box, (Box{32, 16, 32, 16}));
    EXPECT_EQ(found[1].box, (Box{8, 48, 8, 16}));
  }
}

TEST_P(Networks, ATrackerFollowsThemFromFrameToFrame) {
  const auto frames = analyse(
      "ioutracker ! videoconvertscale add-borders=false ! video/x-raw,width=320,height=240");
  ASSERT_EQ(frames.size(), static_cast<std::size_t>(kFrames));
  ASSERT_EQ(frames[0].size(), 2U);
  ASSERT_TRUE(frames[0][0].tracker_id.has_value());
  ASSERT_TRUE(frames[0][1].tracker_id.has_value());
  EXPECT_NE(frames[0][0].tracker_id, frames[0][1].tracker_id);
  for (const auto& found : frames) {
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].box, (Box{160, 60, 160, 60}));
    EXPECT_EQ(found[0].tracker_id, frames[0][0].tracker_id);
    EXPECT_EQ(found[1].tracker_id, frames[0][1].tracker_id);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Networks, ::testing::Values("yolo", "ssd"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace webrtcupload
