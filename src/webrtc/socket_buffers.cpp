// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/socket_buffers.h"

#include <algorithm>
#include <sys/socket.h>

#include "webrtc/ice_sockets.h"

namespace webrtcupload {
namespace {

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
  std::optional<int> smallest;
  for (const auto& socket : ice_sockets(webrtcbin)) {
    if (const auto granted = grow(socket.get(), bytes)) {
      smallest = std::min(smallest.value_or(*granted), *granted);
    }
  }
  return smallest;
}

}  // namespace webrtcupload
