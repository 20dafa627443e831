// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gio/gio.h>
#include <gtest/gtest.h>

#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload::test {

// A UDP port, whichever the system gives, that nobody else can have at any IPv4 address.
class TakenUdpPort {
 public:
  TakenUdpPort()
      : socket_(g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                             nullptr)) {
    const GObjectPtr<GInetAddress> any(g_inet_address_new_any(G_SOCKET_FAMILY_IPV4));
    const GObjectPtr<GSocketAddress> address(g_inet_socket_address_new(any.get(), 0));
    EXPECT_TRUE(g_socket_bind(socket_.get(), address.get(), FALSE, nullptr));
  }

  [[nodiscard]] std::string number() const {
    const GObjectPtr<GSocketAddress> bound(g_socket_get_local_address(socket_.get(), nullptr));
    return std::to_string(g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound.get())));
  }
  // As webrtcuploadserver's properties, for no other port than this one.
  [[nodiscard]] std::string as_only_port() const {
    return "min-udp-port=" + number() + " max-udp-port=" + number();
  }
  void release() { EXPECT_TRUE(g_socket_close(socket_.get(), nullptr)); }

 private:
  const GObjectPtr<GSocket> socket_;
};

}  // namespace webrtcupload::test
