// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcuploadvp8dec
 * @title: webrtcuploadvp8dec
 * @short_description: decodes the colours of uploaded VP8 with an alpha channel
 * @see_also: webrtcuploadvp9dec, webrtcuploadopaque, webrtcupload
 *
 * `webrtcuploadopaque ! vp8dec` in one element, with a rank: `decodebin` and `decodebin3` choose it
 * by themselves for uploaded VP8 that says it has an alpha channel, and nobody has to name it.
 *
 * Browsers say so of every film that they record (Chromium's MediaRecorder writes AlphaMode 1),
 * also where no frame has one. `vp8alphadecodebin`, which GStreamer chooses for such a film,
 * refuses it when the first frame has no alpha, and `decodebin` with `expose-all-streams=false`
 * does not even try.
 *
 * It only accepts what comes out of a `webrtcupload`. Films that a program with this plugin plays
 * from elsewhere keep their alpha channel.
 */

/**
 * SECTION:element-webrtcuploadvp9dec
 * @title: webrtcuploadvp9dec
 * @short_description: decodes the colours of uploaded VP9 with an alpha channel
 * @see_also: webrtcuploadvp8dec, webrtcuploadopaque, webrtcupload
 *
 * `webrtcuploadopaque ! vp9dec` in one element: what webrtcuploadvp8dec is for VP8.
 */

#include "gst/webrtcupload/gstwebrtcuploadvpxdec.h"

#include "glib/glib_ptr.h"
#include "gst/webrtcupload/gstwebrtcuploadopaque.h"

namespace {

using webrtcupload::GstCapsPtr;
using webrtcupload::GstPtr;

struct Codec {
  const char* type_name;
  const char* long_name;
  const char* description;
  const char* caps;
  // The first of them that this system has.
  const char* decoders[2];
};

constexpr Codec kVp8{"GstWebrtcUploadVp8Dec",
                     "WebRTC upload VP8 decoder",
                     "Decodes the colours of uploaded VP8 with an alpha channel. Only accepts what "
                     "comes out of webrtcupload",
                     "video/x-vp8, codec-alpha = (boolean) true",
                     {"vp8dec", "avdec_vp8"}};
constexpr Codec kVp9{"GstWebrtcUploadVp9Dec",
                     "WebRTC upload VP9 decoder",
                     "Decodes the colours of uploaded VP9 with an alpha channel. Only accepts what "
                     "comes out of webrtcupload",
                     "video/x-vp9, codec-alpha = (boolean) true",
                     {"vp9dec", "avdec_vp9"}};

// Decoders of alpha channels have the rank of their codec's decoder and some 10 more.
constexpr guint kRank = GST_RANK_PRIMARY + 100;

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    const GstPtr<GstElement> decoder(gst_bin_get_by_name(GST_BIN(element), "decoder"));
    // An autoplugger goes on to the next candidate.
    if (!decoder) return GST_STATE_CHANGE_FAILURE;
  }
  auto* bin_class = GST_ELEMENT_CLASS(g_type_class_peek(GST_TYPE_BIN));
  return bin_class->change_state(element, transition);
}

void class_init(gpointer klass, gpointer data) {
  const auto& codec = *static_cast<const Codec*>(data);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(change_state);
  gst_element_class_set_static_metadata(element_class, codec.long_name, "Codec/Decoder/Video",
                                        codec.description, "The webrtcupload authors");
  const GstCapsPtr coded(gst_caps_from_string(codec.caps));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, coded.get()));
  // Autopluggers look here to see whether it is worth to decode.
  const GstCapsPtr raw(gst_caps_from_string("video/x-raw"));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, raw.get()));
}

// `target` may be null.
void add_ghost_pad(GstElement* bin, GstElement* target, const char* name) {
  GstPad* ghost = gst_ghost_pad_new_no_target_from_template(
      name, gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(bin), name));
  if (target) {
    const GstPtr<GstPad> pad(gst_element_get_static_pad(target, name));
    gst_ghost_pad_set_target(GST_GHOST_PAD(ghost), pad.get());
  }
  gst_element_add_pad(bin, ghost);
}

void make_children(GstElement* bin, const Codec& codec) {
  GstElement* decoder = nullptr;
  for (const char* name : codec.decoders) {
    if (!decoder) decoder = gst_element_factory_make(name, "decoder");
  }
  auto* opaque =
      GST_ELEMENT(g_object_new(GST_TYPE_WEBRTC_UPLOAD_OPAQUE, "name", "opaque", nullptr));
  gst_bin_add(GST_BIN(bin), opaque);
  if (decoder) {
    gst_bin_add(GST_BIN(bin), decoder);
    gst_element_link(opaque, decoder);
  }
  add_ghost_pad(bin, opaque, "sink");
  add_ghost_pad(bin, decoder, "src");
}

template <const Codec& codec>
void instance_init(GTypeInstance* instance, gpointer) {
  make_children(GST_ELEMENT(instance), codec);
}

template <const Codec& codec>
GType type_of() {
  static const GType type = [] {
    GTypeInfo info{};
    info.class_size = sizeof(GstBinClass);
    info.class_init = class_init;
    info.class_data = &codec;
    info.instance_size = sizeof(GstBin);
    info.instance_init = instance_init<codec>;
    return g_type_register_static(GST_TYPE_BIN, codec.type_name, &info, GTypeFlags(0));
  }();
  return type;
}

}  // namespace

GST_ELEMENT_REGISTER_DEFINE(webrtcuploadvp8dec, "webrtcuploadvp8dec", kRank, type_of<kVp8>())
GST_ELEMENT_REGISTER_DEFINE(webrtcuploadvp9dec, "webrtcuploadvp9dec", kRank, type_of<kVp9>())
