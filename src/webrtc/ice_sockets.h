// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sockets of webrtcbin's ICE agent, which libnice makes.

#pragma once

#include <gio/gio.h>
#include <gst/gst.h>
#include <nice/agent.h>

#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// Null where webrtcbin's ICE is not libnice's, or a version hides it. Not under the PC lock.
inline GObjectPtr<NiceAgent> nice_agent_of(GstElement* webrtcbin) {
  if (!g_object_class_find_property(G_OBJECT_GET_CLASS(webrtcbin), "ice-agent")) return nullptr;
  GstObject* ice = nullptr;
  g_object_get(webrtcbin, "ice-agent", &ice, nullptr);
  const GstPtr<GstObject> owned(ice);
  if (!ice || !g_object_class_find_property(G_OBJECT_GET_CLASS(ice), "agent")) return nullptr;
  GObject* agent = nullptr;
  g_object_get(ice, "agent", &agent, nullptr);
  GObjectPtr<GObject> object(agent);
  if (!NICE_IS_AGENT(agent)) return nullptr;
  return GObjectPtr<NiceAgent>(NICE_AGENT(object.release()));
}

// All that there are by now, UDP and TCP. Not under the PC lock.
inline std::vector<GObjectPtr<GSocket>> ice_sockets(GstElement* webrtcbin) {
  // libnice numbers an agent's streams from 1 on; webrtcbin makes one for each bundle, or each
  // m-line without bundling.
  constexpr guint kMaxStreams = 32;
  std::vector<GObjectPtr<GSocket>> sockets;
  const auto agent = nice_agent_of(webrtcbin);
  if (!agent) return sockets;
  for (guint stream = 1; stream <= kMaxStreams; ++stream) {
    // Of RTP's component; webrtcbin requires rtcp-mux, and SCTP uses the first one as well. Null
    // where there is no such stream.
    GPtrArray* array = nice_agent_get_sockets(agent.get(), stream, NICE_COMPONENT_TYPE_RTP);
    if (!array) continue;
    for (guint i = 0; i < array->len; ++i) {
      sockets.push_back(ref_gobject(G_SOCKET(g_ptr_array_index(array, i))));
    }
    g_ptr_array_unref(array);
  }
  return sockets;
}

}  // namespace webrtcupload
