// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/ice_setup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <sys/socket.h>
#include <utility>
#ifdef __linux__
#include <linux/filter.h>
#include <linux/if_arp.h>
#endif

#include "glib/debug.h"
#include "webrtc/ice_sockets.h"

#define GST_CAT_DEFAULT webrtcupload::debug::peer()

namespace webrtcupload {
namespace {

// Lets the socket `fd` hear of nothing but what comes over the loopback interface. That is how a
// packet from this machine to any of its own addresses travels. Needs no privilege, unlike a
// firewall; SO_BINDTODEVICE with "lo" does not do: a socket is told that such a packet came over
// the interface which has the address.
bool filter_to_this_machine(int fd) {
#ifdef __linux__
  std::array<sock_filter, 4> program = {{
      // The kind of interface that the packet arrived at.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<__u32>(SKF_AD_OFF + SKF_AD_HATYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
#else
  (void)fd;
  errno = ENOSYS;
  return false;
#endif
}

// Whether the system lets us filter: a sandbox may not.
bool can_filter() {
  const GObjectPtr<GSocket> socket(
      g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, nullptr));
  return socket && filter_to_this_machine(g_socket_get_fd(socket.get()));
}

GObjectPtr<GInetSocketAddress> local_address(GSocket* socket) {
  GObjectPtr<GSocketAddress> address(g_socket_get_local_address(socket, nullptr));
  if (!address || !G_IS_INET_SOCKET_ADDRESS(address.get())) return nullptr;
  return GObjectPtr<GInetSocketAddress>(G_INET_SOCKET_ADDRESS(address.release()));
}

// In webrtcbin's form, with the credentials before the host.
std::string turn_uri(const std::string& scheme, const IceServer& server, const std::string& rest) {
  const GCharPtr user(g_uri_escape_string(server.username.c_str(), nullptr, FALSE));
  const GCharPtr password(g_uri_escape_string(server.credential.c_str(), nullptr, FALSE));
  return scheme + "://" + user.get() + ":" + password.get() + "@" + rest;
}

}  // namespace

LocalMachine look_at_machine() {
  if (!can_filter()) return {};
  return {.can_filter = true, .addresses = interface_addresses()};
}

std::string set_up_ice(GstElement* webrtcbin, const IceSetup& setup) {
  const auto agent = nice_agent_of(webrtcbin);
  if (!agent) return "webrtcbin has no ICE agent; libnice's GStreamer plugin is needed";
  // Without, a peer that vanishes is never noticed. And libnice's default is to ask the routers
  // around to open ports.
  g_object_set(agent.get(), "keepalive-conncheck", TRUE, "upnp", FALSE, nullptr);
  GObject* object = nullptr;
  g_object_get(webrtcbin, "ice-agent", &object, nullptr);
  const GObjectPtr<GObject> ice(object);

  std::vector<std::string> addresses = setup.local_addresses;
  LocalMachine machine;
  if (setup.this_machine && only_loopback(addresses)) {
    machine = setup.machine ? *setup.machine : look_at_machine();
  }
  std::ranges::move(machine.addresses, std::back_inserter(addresses));
  for (const std::string& address : addresses) {
    gboolean added = FALSE;
    g_signal_emit_by_name(ice.get(), "add-local-ip-address", address.c_str(), &added);
    if (!added) return "ICE does not take the local address " + address;
    GST_DEBUG_OBJECT(webrtcbin, "ICE listens at %s", address.c_str());
  }
  if (const auto& ports = setup.network.udp_ports) {
    // In the order in which the range is never the wrong way round.
    g_object_set(ice.get(), "max-rtp-port", guint{ports->last}, "min-rtp-port", guint{ports->first},
                 nullptr);
    GST_DEBUG_OBJECT(webrtcbin, "ICE uses the UDP ports %s", to_string(*ports).c_str());
  }
  // A TCP candidate listens where anybody may connect, on ports of the same range, and would tell
  // the address in whose place others are announced.
  if (machine.can_filter || setup.network.udp_ports || !setup.network.announced_addresses.empty()) {
    g_object_set(agent.get(), "ice-tcp", FALSE, nullptr);
  }
  return "";
}

void add_ice_servers(GstElement* webrtcbin, const std::vector<IceServer>& servers) {
  bool has_stun = false;
  for (const IceServer& server : servers) {
    for (const std::string& url : server.urls) {
      const std::size_t colon = url.find(':');
      const std::string scheme = url.substr(0, colon);
      const std::string rest = colon == std::string::npos ? "" : url.substr(colon + 1);
      if (scheme == "stun" && !std::exchange(has_stun, true)) {
        GST_DEBUG_OBJECT(webrtcbin, "asks the STUN server %s", url.c_str());
        g_object_set(webrtcbin, "stun-server", ("stun://" + rest).c_str(), nullptr);
      } else if (scheme == "turn" || scheme == "turns") {
        gboolean added = FALSE;
        g_signal_emit_by_name(webrtcbin, "add-turn-server", turn_uri(scheme, server, rest).c_str(),
                              &added);
        if (added) {
          // Without its user and password, which are not part of `url`.
          GST_DEBUG_OBJECT(webrtcbin, "may relay through %s", url.c_str());
        } else {
          g_message("a TURN server was not understood");
        }
      }
    }
  }
}

std::string restrict_to_this_machine(GstElement* webrtcbin) {
  for (const auto& socket : ice_sockets(webrtcbin)) {
    // A loopback address is nobody else's anyway.
    if (const auto address = local_address(socket.get());
        address &&
        g_inet_address_get_is_loopback(g_inet_socket_address_get_address(address.get()))) {
      continue;
    }
    if (!filter_to_this_machine(g_socket_get_fd(socket.get()))) {
      return std::string("a socket cannot be kept to this machine: ") + std::strerror(errno);
    }
  }
  GST_DEBUG_OBJECT(webrtcbin, "what other machines send is thrown away");
  return "";
}

std::vector<std::uint16_t> ice_ports(GstElement* webrtcbin) {
  std::vector<std::uint16_t> ports;
  for (const auto& socket : ice_sockets(webrtcbin)) {
    if (g_socket_get_socket_type(socket.get()) != G_SOCKET_TYPE_DATAGRAM) continue;
    const auto address = local_address(socket.get());
    if (address) ports.push_back(g_inet_socket_address_get_port(address.get()));
  }
  std::ranges::sort(ports);
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

std::string why_no_candidates(const IceNetwork& network) {
  if (const auto& ports = network.udp_ports) {
    return "none of the UDP ports " + to_string(*ports) + " is free";
  }
  return "no network address was found to listen on";
}

std::string listens_at(GstElement* webrtcbin, const IceNetwork& network) {
  std::string ports;
  if (const auto& range = network.udp_ports) {
    ports = to_string(*range);
  } else {
    for (const std::uint16_t port : ice_ports(webrtcbin)) {
      ports += (ports.empty() ? "" : ", ") + std::to_string(port);
    }
  }
  std::string text = "; this machine listens on UDP port " + ports;
  const auto& addresses = network.announced_addresses;
  for (const std::string& address : addresses) {
    text += (&address == addresses.data() ? ", announced as that of " : " and ") + address;
  }
  return text;
}

}  // namespace webrtcupload
