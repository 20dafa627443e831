// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An analyser whose results tests know in advance: `testanalytics` says of every frame, in
// GstAnalytics metas, that there is a car (class "red", followed as number 7), its plate, and, from
// GStreamer 1.26 on, a ship that lies across. A plugin, because the tests that need it run the
// server as a program.

#include <gst/analytics/analytics.h>
#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>

#include <numbers>

#include "support/turned_box.h"

namespace {

struct TestAnalytics {
  GstVideoFilter parent;
};
struct TestAnalyticsClass {
  GstVideoFilterClass parent_class;
};

GType test_analytics_get_type();
G_DEFINE_TYPE(TestAnalytics, test_analytics, GST_TYPE_VIDEO_FILTER)

GstFlowReturn transform_frame_ip(GstVideoFilter*, GstVideoFrame* frame) {
  GstAnalyticsRelationMeta* meta = gst_buffer_add_analytics_relation_meta(frame->buffer);
  GstAnalyticsMtd car;
  GstAnalyticsMtd plate;
  GstAnalyticsMtd track;
  GstAnalyticsMtd colour;
  gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_static_string("car"), 16, 8, 32, 16,
                                         0.75F, &car);
  gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_static_string("plate"), 20, 20, 8, 4,
                                         0.5F, &plate);
  gst_analytics_relation_meta_add_tracking_mtd(meta, 7, 0, &track);
  gst_analytics_relation_meta_add_one_cls_mtd(meta, 0.625F, g_quark_from_static_string("red"),
                                              &colour);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_IS_PART_OF, plate.id,
                                           car.id);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, track.id,
                                           car.id);
  gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_CONTAIN, car.id, colour.id);
  if (const auto add_turned = webrtcupload::test::turned_box_function()) {
    add_turned(meta, g_quark_from_static_string("ship"), 40, 30, 16, 8,
               static_cast<gfloat>(std::numbers::pi / 2), 0.25F, nullptr);
  }
  return GST_FLOW_OK;
}

void test_analytics_class_init(TestAnalyticsClass* klass) {
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  GstCaps* caps = gst_caps_from_string(GST_VIDEO_CAPS_MAKE("I420"));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
  gst_element_class_set_static_metadata(element_class, "Analytics for tests",
                                        "Filter/Analyzer/Video", "Says the same of every frame",
                                        "the authors of webrtcupload");
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = GST_DEBUG_FUNCPTR(transform_frame_ip);
}

void test_analytics_init(TestAnalytics*) {}

gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "testanalytics", GST_RANK_NONE, test_analytics_get_type());
}

}  // namespace

#define PACKAGE "webrtcupload"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, testanalytics,
                  "Analyser for the tests of webrtcupload", plugin_init, "0", "LGPL",
                  "webrtcupload", "https://gstreamer.freedesktop.org/")
