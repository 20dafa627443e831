// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/pipeline_eos.h"

#include <gst/webrtc/webrtc.h>

#include <string_view>

#include "webrtc/find_webrtcbin.h"

namespace webrtcupload {
namespace {

// webrtcbin's are always those of media.
bool has_pads(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const bool has = element->numpads > 0;
  GST_OBJECT_UNLOCK(element);
  return has;
}

// Whether the peer sends by this section. Without a word about it, it does (RFC 8866, 6.7).
bool announces_packets(const GstSDPMessage* sdp, const GstSDPMedia* media) {
  const std::string_view kind = gst_sdp_media_get_media(media);
  if ((kind != "audio" && kind != "video") || gst_sdp_media_get_port(media) == 0) return false;
  for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
    if (gst_sdp_media_get_attribute_val(media, direction))
      return std::string_view(direction)[0] == 's';
  }
  return !gst_sdp_message_get_attribute_val(sdp, "recvonly") &&
         !gst_sdp_message_get_attribute_val(sdp, "inactive");
}

// Its description says so; what the transceivers say is what could be received as well, where the
// peer only receives and nothing is sent to it. Waits for the PC lock.
bool peer_sends_media(GstElement* webrtcbin) {
  // Those who wrap a webrtcbin may not have it.
  constexpr char kDescription[] = "current-remote-description";
  if (!g_object_class_find_property(G_OBJECT_GET_CLASS(webrtcbin), kDescription)) return false;
  GstWebRTCSessionDescription* description = nullptr;
  g_object_get(webrtcbin, kDescription, &description, nullptr);
  if (!description) return false;
  const bool sends = announces_media(description->sdp);
  gst_webrtc_session_description_free(description);
  return sends;
}

void post_eos(GstElement* element) {
  gst_element_post_message(element, gst_message_new_eos(GST_OBJECT(element)));
}

}  // namespace

GType end_pipeline_get_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(EndPipeline::kAuto), "If the webrtcbin carries no media", "auto"},
      {static_cast<gint>(EndPipeline::kNever), "Never", "never"},
      {static_cast<gint>(EndPipeline::kAlways), "Also if it carries media", "always"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstWebrtcUploadEndPipeline", values);
  return type;
}

bool announces_media(const GstSDPMessage* sdp) {
  for (guint i = 0; i < gst_sdp_message_medias_len(sdp); ++i) {
    if (announces_packets(sdp, gst_sdp_message_get_media(sdp, i))) return true;
  }
  return false;
}

void post_eos_for_webrtcbin(GstElement* self, GstElement* webrtcbin) {
  if (!webrtcbin) return;
  if (outermost_parent(self) != outermost_parent(webrtcbin)) return;
  auto when = EndPipeline::kAuto;
  g_object_get(self, kEndPipelineProperty, &when, nullptr);
  if (when == EndPipeline::kNever) return;
  if (when == EndPipeline::kAlways) return post_eos(webrtcbin);
  if (has_pads(webrtcbin)) return;
  gst_element_call_async(
      webrtcbin,
      [](GstElement* element, gpointer) {
        if (!peer_sends_media(element)) post_eos(element);
      },
      nullptr, nullptr);
}

void remind_that_it_plays(GstElement* sink) {
  const GstPtr<GstObject> top = outermost_parent(sink);
  if (!GST_IS_BIN(top.get())) return;
  GST_OBJECT_LOCK(top.get());
  const bool plays = GST_STATE(top.get()) == GST_STATE_PLAYING &&
                     GST_STATE_PENDING(top.get()) == GST_STATE_VOID_PENDING;
  bool waits = false;
  for (GList* item = GST_BIN(top.get())->messages; item; item = item->next) {
    waits = waits || GST_MESSAGE_TYPE(item->data) == GST_MESSAGE_EOS;
  }
  GST_OBJECT_UNLOCK(top.get());
  // Otherwise it has ended, or whoever sets its state has that message still to post.
  if (!plays || !waits) return;
  gst_element_post_message(GST_ELEMENT(top.get()), gst_message_new_state_changed(
                                                       top.get(), GST_STATE_PLAYING,
                                                       GST_STATE_PLAYING, GST_STATE_VOID_PENDING));
}

}  // namespace webrtcupload
