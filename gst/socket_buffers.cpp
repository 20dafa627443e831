// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/socket_buffers.h"

#include <gio/gio.h>
#include <nice/agent.h>

#include <algorithm>
#include <sys/socket.h>

#include "gst/glib_ptr.h"

namespace webrtcupload {
namespace {

// libnice numbers an agent's streams from 1 on; webrtcbin makes one for each bundle, or each m-line
// without bundling.
constexpr guint kMaxStreams = 32;

std::optional<int> grow(GSocket* socket, int bytes) {
  if (g_socket_get_socket_type(socket) != G_SOCKET_TYPE_DATAGRAM) return std::nullopt;
  const int fd = g_socket_get_fd(socket);
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    // Without the privilege. Silently cut to net.core.rmem_max, which the caller sees from what is
    // returned.
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  if (::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length) != 0) return std::nullopt;
  return granted;
}

}  // namespace

std::optional<int> grow_receive_buffers(GstElement* webrtcbin, int bytes) {
  if (!g_object_class_find_property(G_OBJECT_GET_CLASS(webrtcbin), "ice-agent")) {
    return std::nullopt;
  }
  g_autoptr(GstObject) ice = nullptr;
  g_object_get(webrtcbin, "ice-agent", &ice, nullptr);
  if (!ice || !g_object_class_find_property(G_OBJECT_GET_CLASS(ice), "agent")) return std::nullopt;
  g_autoptr(GObject) agent = nullptr;
  g_object_get(ice, "agent", &agent, nullptr);
  if (!NICE_IS_AGENT(agent)) return std::nullopt;

  std::optional<int> smallest;
  for (guint stream = 1; stream <= kMaxStreams; ++stream) {
    // Of RTP's component; webrtcbin requires rtcp-mux, and SCTP uses the first one as well. Null
    // where there is no such stream.
    GPtrArray* sockets = nice_agent_get_sockets(NICE_AGENT(agent), stream, NICE_COMPONENT_TYPE_RTP);
    if (!sockets) continue;
    for (guint i = 0; i < sockets->len; ++i) {
      if (const auto granted = grow(G_SOCKET(g_ptr_array_index(sockets, i)), bytes)) {
        smallest = std::min(smallest.value_or(*granted), *granted);
      }
    }
    g_ptr_array_unref(sockets);
  }
  return smallest;
}

}  // namespace webrtcupload
