// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/jpeg_encoder.h"

#include <utility>

namespace webrtcupload {
namespace {

// The pad's private data is where the image goes.
GstFlowReturn take_image(GstPad* pad, GstObject*, GstBuffer* buffer) {
  auto* image = static_cast<GstBufferPtr*>(gst_pad_get_element_private(pad));
  GstBufferPtr taken(buffer);
  if (image) *image = std::move(taken);
  return GST_FLOW_OK;
}

gboolean drop_event(GstPad*, GstObject*, GstEvent* event) {
  gst_event_unref(event);
  return TRUE;
}

// With templates: a pad without one accepts only the caps that it was given first.
GstStaticPadTemplate source_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

GstPtr<GstPad> new_pad(GstStaticPadTemplate* pad_template) {
  GstPad* pad = gst_pad_new_from_static_template(pad_template, nullptr);
  return GstPtr<GstPad>(static_cast<GstPad*>(gst_object_ref_sink(pad)));
}

GstPtr<GstPad> static_pad(GstElement* element, const char* name) {
  return GstPtr<GstPad>(gst_element_get_static_pad(element, name));
}

}  // namespace

std::unique_ptr<JpegEncoder> JpegEncoder::create(int quality, std::string& problem) {
  std::unique_ptr<JpegEncoder> self(new JpegEncoder);
  self->bin_ =
      GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(gst_bin_new("jpeg"))));
  GstElement* convert = gst_element_factory_make("videoconvert", nullptr);
  if (convert) gst_bin_add(GST_BIN(self->bin_.get()), convert);
  GstElement* encoder = gst_element_factory_make("jpegenc", nullptr);
  if (encoder) gst_bin_add(GST_BIN(self->bin_.get()), encoder);
  if (!convert || !encoder) {
    problem = std::string("there is no GStreamer element ") +
              (convert ? "jpegenc" : "videoconvert") + " on this machine";
    return nullptr;
  }
  g_object_set(encoder, "quality", quality, nullptr);
  self->source_ = new_pad(&source_template);
  self->sink_ = new_pad(&sink_template);
  gst_pad_set_chain_function(self->sink_.get(), take_image);
  gst_pad_set_event_function(self->sink_.get(), drop_event);
  gst_pad_set_active(self->source_.get(), TRUE);
  gst_pad_set_active(self->sink_.get(), TRUE);
  // Our pads are in no element, so there is no hierarchy to be right.
  constexpr auto kNoCheck = GST_PAD_LINK_CHECK_NOTHING;
  if (gst_pad_link_full(self->source_.get(), static_pad(convert, "sink").get(), kNoCheck) !=
          GST_PAD_LINK_OK ||
      !gst_element_link(convert, encoder) ||
      gst_pad_link_full(static_pad(encoder, "src").get(), self->sink_.get(), kNoCheck) !=
          GST_PAD_LINK_OK ||
      gst_element_set_state(self->bin_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    problem = "jpegenc does not start";
    return nullptr;
  }
  gst_pad_push_event(self->source_.get(), gst_event_new_stream_start("image"));
  return self;
}

JpegEncoder::~JpegEncoder() {
  if (source_) gst_pad_set_active(source_.get(), FALSE);
  if (sink_) gst_pad_set_active(sink_.get(), FALSE);
  gst_element_set_state(bin_.get(), GST_STATE_NULL);
}

GstBufferPtr JpegEncoder::encode(GstBuffer* frame, const GstVideoInfo& info, std::string& problem) {
  if (!started_ || !gst_video_info_is_equal(&info, &info_)) {
    const GstCapsPtr caps(gst_video_info_to_caps(&info));
    if (!caps || !gst_pad_push_event(source_.get(), gst_event_new_caps(caps.get()))) {
      problem = std::string("frames of format ") + GST_VIDEO_INFO_NAME(&info) +
                " cannot be made into a JPEG";
      return nullptr;
    }
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source_.get(), gst_event_new_segment(&segment));
    info_ = info;
    started_ = true;
  }
  GstBufferPtr image;
  gst_pad_set_element_private(sink_.get(), &image);
  // Not a copy: its memory is shared. Without timestamps, which could lie outside of the segment.
  GstBuffer* input = gst_buffer_copy(frame);
  GST_BUFFER_PTS(input) = 0;
  GST_BUFFER_DTS(input) = GST_CLOCK_TIME_NONE;
  const GstFlowReturn flow = gst_pad_push(source_.get(), input);
  gst_pad_set_element_private(sink_.get(), nullptr);
  if (!image) problem = std::string("jpegenc failed with ") + gst_flow_get_name(flow);
  return image;
}

}  // namespace webrtcupload
