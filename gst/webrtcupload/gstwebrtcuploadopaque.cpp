// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcuploadopaque
 * @title: webrtcuploadopaque
 * @short_description: makes uploaded VP8 and VP9 with an alpha channel opaque
 * @see_also: webrtcuploadvp8dec, webrtcuploadvp9dec, webrtcupload
 *
 * Leaves the alpha channel of an uploaded WebM film away, so that an ordinary decoder decodes its
 * colours. `webrtcuploadvp8dec` and `webrtcuploadvp9dec`, which `decodebin` and `decodebin3` choose
 * by themselves, have it inside.
 *
 * What shows through is not composed: the colours are those that are stored, also where they are
 * transparent. Films that come from elsewhere than a `webrtcupload` are not accepted.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 webrtcuploadserver ! matroskademux ! webrtcuploadopaque ! avdec_vp8 ! fakesink
 * ]| Decodes an upload with a decoder of one's own choice.
 */

#include "gst/webrtcupload/gstwebrtcuploadopaque.h"

#include <gst/video/gstvideocodecalphameta.h>

#include "downstream/upload_origin.h"

struct _GstWebrtcUploadOpaque {
  GstBaseTransform parent;
};

#define gst_webrtc_upload_opaque_parent_class parent_class
G_DEFINE_FINAL_TYPE(GstWebrtcUploadOpaque, gst_webrtc_upload_opaque, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(webrtcuploadopaque, "webrtcuploadopaque", GST_RANK_NONE,
                            GST_TYPE_WEBRTC_UPLOAD_OPAQUE)

namespace {

constexpr char kAlphaField[] = "codec-alpha";

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-vp8, codec-alpha = (boolean) true; "
                                            "video/x-vp9, codec-alpha = (boolean) true"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-vp8; video/x-vp9"));

GstCaps* transform_caps(GstBaseTransform*, GstPadDirection direction, GstCaps* caps,
                        GstCaps* filter) {
  GstCaps* other = gst_caps_copy(caps);
  for (guint i = 0; i < gst_caps_get_size(other); ++i) {
    GstStructure* structure = gst_caps_get_structure(other, i);
    if (direction == GST_PAD_SRC) {
      gst_structure_set(structure, kAlphaField, G_TYPE_BOOLEAN, TRUE, nullptr);
    } else {
      // As demuxers describe a film without alpha channel.
      gst_structure_remove_field(structure, kAlphaField);
    }
  }
  if (filter) {
    GstCaps* filtered = gst_caps_intersect_full(filter, other, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(other);
    other = filtered;
  }
  return other;
}

// Autopluggers ask this of an element that they have linked, and try the next one if it says no.
gboolean accept_caps(GstBaseTransform* transform, GstPadDirection direction, GstCaps* caps) {
  if (!GST_BASE_TRANSFORM_CLASS(gst_webrtc_upload_opaque_parent_class)
           ->accept_caps(transform, direction, caps)) {
    return FALSE;
  }
  return direction != GST_PAD_SINK ||
         webrtcupload::comes_from_upload(GST_BASE_TRANSFORM_SINK_PAD(transform));
}

GstFlowReturn transform_ip(GstBaseTransform*, GstBuffer* buffer) {
  if (GstVideoCodecAlphaMeta* alpha = gst_buffer_get_video_codec_alpha_meta(buffer)) {
    gst_buffer_remove_meta(buffer, &alpha->meta);
  }
  return GST_FLOW_OK;
}

}  // namespace

static void gst_webrtc_upload_opaque_init(GstWebrtcUploadOpaque* self) {
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
}

static void gst_webrtc_upload_opaque_class_init(GstWebrtcUploadOpaqueClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_set_static_metadata(
      element_class, "WebRTC upload opaque video", "Filter/Video",
      "Leaves the alpha channel of uploaded VP8 and VP9 away, so that ordinary decoders decode its "
      "colours. Only accepts what comes out of webrtcupload",
      "The webrtcupload authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  auto* transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  transform_class->transform_caps = GST_DEBUG_FUNCPTR(transform_caps);
  transform_class->accept_caps = GST_DEBUG_FUNCPTR(accept_caps);
  transform_class->transform_ip = GST_DEBUG_FUNCPTR(transform_ip);
}
