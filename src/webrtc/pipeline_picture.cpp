// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/pipeline_picture.h"

#include "glib/glib_ptr.h"
#include "webrtc/find_webrtcbin.h"

namespace webrtcupload {

void draw_failure(GstElement* element, GstElement* webrtcbin) {
  // Without elements' properties, since webrtcbin's wait for its lock.
  constexpr auto kDetails = static_cast<GstDebugGraphDetails>(GST_DEBUG_GRAPH_SHOW_MEDIA_TYPE |
                                                              GST_DEBUG_GRAPH_SHOW_STATES);
  const GstPtr<GstObject> pipeline = outermost_parent(element);
  const GstPtr<GstObject> peer = webrtcbin ? outermost_parent(webrtcbin) : nullptr;
  const GCharPtr name(g_strdup_printf("%s-failed", GST_OBJECT_NAME(element)));
  const GCharPtr peer_name(g_strdup_printf("%s-failed-peer", GST_OBJECT_NAME(element)));
  if (GST_IS_BIN(pipeline.get())) {
    GST_DEBUG_BIN_TO_DOT_FILE(GST_BIN(pipeline.get()), kDetails, name.get());
  }
  if (peer && peer != pipeline && GST_IS_BIN(peer.get())) {
    GST_DEBUG_BIN_TO_DOT_FILE(GST_BIN(peer.get()), kDetails, peer_name.get());
  }
}

}  // namespace webrtcupload
