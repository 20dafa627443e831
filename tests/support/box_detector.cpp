// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An analyser whose results tests know in advance: `testboxdetector` finds the smallest box around
// everything red in a frame and adds it as GstVideoRegionOfInterestMeta "box", with a confidence.
// A plugin, because the tests that need it run the server as a program.

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>

#include <algorithm>
#include <cstdint>

namespace {

// Pure red has 240 here, grey 128; half way is far from both, whatever an encoder does to edges.
constexpr std::uint8_t kRedness = 190;
constexpr double kConfidence = 0.75;

struct TestBoxDetector {
  GstVideoFilter parent;
};
struct TestBoxDetectorClass {
  GstVideoFilterClass parent_class;
};

GType test_box_detector_get_type();
G_DEFINE_TYPE(TestBoxDetector, test_box_detector, GST_TYPE_VIDEO_FILTER)

GstFlowReturn transform_frame_ip(GstVideoFilter*, GstVideoFrame* frame) {
  const auto* plane = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_COMP_DATA(frame, 2));
  const int stride = GST_VIDEO_FRAME_COMP_STRIDE(frame, 2);
  const int width = GST_VIDEO_FRAME_COMP_WIDTH(frame, 2);
  const int height = GST_VIDEO_FRAME_COMP_HEIGHT(frame, 2);
  int left = width;
  int right = -1;
  int top = height;
  int bottom = -1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (plane[y * stride + x] < kRedness) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
    }
  }
  if (right < 0) return GST_FLOW_OK;
  // Chroma has half the resolution.
  GstVideoRegionOfInterestMeta* meta = gst_buffer_add_video_region_of_interest_meta(
      frame->buffer, "box", static_cast<guint>(2 * left), static_cast<guint>(2 * top),
      static_cast<guint>(2 * (right - left + 1)), static_cast<guint>(2 * (bottom - top + 1)));
  gst_video_region_of_interest_meta_add_param(
      meta, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, kConfidence, nullptr));
  return GST_FLOW_OK;
}

void test_box_detector_class_init(TestBoxDetectorClass* klass) {
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  GstCaps* caps = gst_caps_from_string(GST_VIDEO_CAPS_MAKE("I420"));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
  gst_element_class_set_static_metadata(element_class, "Box detector for tests",
                                        "Filter/Analyzer/Video", "Finds what is red in a frame",
                                        "the authors of webrtcupload");
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = GST_DEBUG_FUNCPTR(transform_frame_ip);
}

void test_box_detector_init(TestBoxDetector*) {}

gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "testboxdetector", GST_RANK_NONE,
                              test_box_detector_get_type());
}

}  // namespace

#define PACKAGE "webrtcupload"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, testboxdetector,
                  "Analyser for the tests of webrtcupload", plugin_init, "0", "LGPL",
                  "webrtcupload", "https://gstreamer.freedesktop.org/")
