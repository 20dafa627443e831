// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/decoded_video.h"

#include <string>
#include <string_view>
#include <utility>

#include "glib/elements_in.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

using PacerPtr = std::shared_ptr<Pacer>;

bool is_plain_raw_video(GstPad* pad) {
  GstCapsPtr caps(gst_pad_get_current_caps(pad));
  if (!caps) caps.reset(gst_pad_query_caps(pad, nullptr));
  if (!caps || gst_caps_is_any(caps.get()) || gst_caps_get_size(caps.get()) == 0) return false;
  // Frames in a device's memory are not for elements that look at pixels.
  GstCapsFeatures* features = gst_caps_get_features(caps.get(), 0);
  const bool plain =
      !features || gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
  return plain && gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "video/x-raw");
}

void pace(GstPad* pad, const PacerPtr& pacer) {
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        Pacer& owned = **static_cast<PacerPtr*>(data);
        return owned.admit(GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info))) ? GST_PAD_PROBE_OK
                                                                            : GST_PAD_PROBE_DROP;
      },
      new PacerPtr(pacer), [](gpointer data) { delete static_cast<PacerPtr*>(data); });
}

// Says of video that has been turned that it stands upright, or whoever comes next turns it again.
GstPadProbeReturn correct_orientation(GstPad*, GstPadProbeInfo* info, gpointer) {
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_TAG) return GST_PAD_PROBE_OK;
  GstTagList* tags = nullptr;
  gst_event_parse_tag(event, &tags);
  if (gst_tag_list_get_tag_size(tags, GST_TAG_IMAGE_ORIENTATION) == 0) return GST_PAD_PROBE_OK;
  GstTagList* corrected = gst_tag_list_copy(tags);
  gst_tag_list_add(corrected, GST_TAG_MERGE_REPLACE, GST_TAG_IMAGE_ORIENTATION, "rotate-0",
                   nullptr);
  GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_tag(corrected);
  gst_event_unref(event);
  return GST_PAD_PROBE_OK;
}

// Whoever looks at pixels sees neither combs nor people on their side. What is not interlaced and
// stands upright passes untouched, and each frame stays one.
std::string straightening() {
  const GstPtr<GstElementFactory> deinterlace(gst_element_factory_find("deinterlace"));
  return std::string("videoconvert ! ") + (deinterlace ? "deinterlace fields=top ! " : "") +
         "videoflip video-direction=auto ! videoconvert";
}

// Puts that between `pad` and what it is linked to.
void turn_upright(GstElement* decoder, GstPad* pad) {
  const GstPtr<GstPad> next(gst_pad_get_peer(pad));
  const GstPtr<GstObject> bin(gst_object_get_parent(GST_OBJECT(decoder)));
  if (!next || !GST_IS_BIN(bin.get())) return;
  GError* error = nullptr;
  GstElement* upright = gst_parse_bin_from_description(straightening().c_str(), TRUE, &error);
  if (error) {
    g_message("videos that lie on their side stay so: %s", error->message);
    g_clear_error(&error);
    if (upright) gst_object_unref(gst_object_ref_sink(upright));
    return;
  }
  const GstPtr<GstElement> held(GST_ELEMENT(gst_object_ref_sink(upright)));
  gst_bin_add(GST_BIN(bin.get()), upright);
  const GstPtr<GstPad> in(gst_element_get_static_pad(upright, "sink"));
  const GstPtr<GstPad> out(gst_element_get_static_pad(upright, "src"));
  gst_pad_add_probe(out.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, correct_orientation, nullptr,
                    nullptr);
  gst_element_sync_state_with_parent(upright);
  gst_pad_unlink(pad, next.get());
  if (gst_pad_link(out.get(), next.get()) == GST_PAD_LINK_OK &&
      gst_pad_link(pad, in.get()) == GST_PAD_LINK_OK) {
    return;
  }
  // What follows does not take what was turned.
  gst_pad_unlink(out.get(), next.get());
  gst_pad_link(pad, next.get());
  gst_element_set_state(upright, GST_STATE_NULL);
  gst_bin_remove(GST_BIN(bin.get()), upright);
}

// On a streaming thread, before any frame has passed the pad. gst_parse_launch()'s own handler,
// which links it, was connected before.
void on_pad_added(GstElement* decoder, GstPad* pad, gpointer data) {
  if (!is_plain_raw_video(pad)) return;
  turn_upright(decoder, pad);
  if (const auto& pacer = *static_cast<PacerPtr*>(data)) pace(pad, pacer);
}

bool is_decodebin(GstElement* element) {
  GstElementFactory* factory = gst_element_get_factory(element);
  const std::string_view name = factory ? GST_OBJECT_NAME(factory) : "";
  return name == "decodebin" || name == "decodebin3";
}

}  // namespace

void prepare_decoded_video(GstElement* pipeline, PacerPtr pacer) {
  for (const auto& element : elements_in(GST_BIN(pipeline))) {
    if (!is_decodebin(element.get())) continue;
    g_signal_connect_data(
        element.get(), "pad-added", G_CALLBACK(on_pad_added), new PacerPtr(pacer),
        [](gpointer context, GClosure*) { delete static_cast<PacerPtr*>(context); },
        GConnectFlags(0));
  }
}

}  // namespace webrtcupload
