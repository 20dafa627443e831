// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/ice_network.h"

#include <gio/gio.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

// Below, a process needs a privilege, and other services have their ports.
constexpr std::uint32_t kFirstPort = 1024;
constexpr std::uint32_t kLastPort = 65535;

std::optional<std::uint32_t> to_port(std::string_view text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

GObjectPtr<GInetAddress> to_address(const std::string& text) {
  return GObjectPtr<GInetAddress>(g_inet_address_new_from_string(text.c_str()));
}

std::string to_text(GInetAddress* address) {
  const GCharPtr text(g_inet_address_to_string(address));
  return text.get();
}

GObjectPtr<GInetAddress> to_address(const sockaddr* address) {
  if (!address) return nullptr;
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    return GObjectPtr<GInetAddress>(g_inet_address_new_from_bytes(
        reinterpret_cast<const guint8*>(&in->sin_addr), G_SOCKET_FAMILY_IPV4));
  }
  if (address->sa_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
    return GObjectPtr<GInetAddress>(g_inet_address_new_from_bytes(
        reinterpret_cast<const guint8*>(&in6->sin6_addr), G_SOCKET_FAMILY_IPV6));
  }
  return nullptr;
}

// The address that this machine would send from to `destination`, which is sent nothing.
std::string source_address_to(const char* destination) {
  const auto address = to_address(std::string(destination));
  const GObjectPtr<GSocket> socket(g_socket_new(g_inet_address_get_family(address.get()),
                                                G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                                                nullptr));
  const GObjectPtr<GSocketAddress> to(g_inet_socket_address_new(address.get(), 53));
  if (!socket || !g_socket_connect(socket.get(), to.get(), nullptr, nullptr)) return "";
  const GObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket.get(), nullptr));
  if (!local || !G_IS_INET_SOCKET_ADDRESS(local.get())) return "";
  return to_text(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(local.get())));
}

}  // namespace

std::string to_string(const UdpPortRange& range) {
  if (range.first == range.last) return std::to_string(range.first);
  return std::to_string(range.first) + "-" + std::to_string(range.last);
}

std::variant<UdpPortRange, IceNetworkError> make_udp_port_range(std::uint32_t first,
                                                                std::uint32_t last) {
  const std::string text = std::to_string(first) + "-" + std::to_string(last);
  if (first > kLastPort || last > kLastPort) {
    return IceNetworkError{text + " goes beyond the last port, " + std::to_string(kLastPort)};
  }
  if (first > last) {
    return IceNetworkError{text + " is the wrong way round: the first port is above the last one"};
  }
  if (first < kFirstPort) {
    return IceNetworkError{text + " begins below " + std::to_string(kFirstPort) +
                           ", with ports that the system keeps for other services"};
  }
  return UdpPortRange{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

std::variant<UdpPortRange, IceNetworkError> parse_udp_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = to_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : to_port(text.substr(dash + 1));
  if (!first || !last) {
    return IceNetworkError{"\"" + std::string(text) +
                           "\" is not a range of ports such as 50000-50100"};
  }
  return make_udp_port_range(*first, *last);
}

std::variant<std::string, IceNetworkError> parse_announced_address(std::string_view text) {
  const std::string copy(text);
  const auto address = to_address(copy);
  // GLib takes a scope, which means nothing on another machine.
  if (!address || copy.find('%') != std::string::npos) {
    return IceNetworkError{"\"" + copy + "\" is not an IP address"};
  }
  std::string normal = to_text(address.get());
  if (g_inet_address_get_is_any(address.get()) || g_inet_address_get_is_multicast(address.get()) ||
      normal == "255.255.255.255") {
    return IceNetworkError{copy + " is not the address of one machine"};
  }
  if (g_inet_address_get_is_link_local(address.get()) &&
      g_inet_address_get_family(address.get()) == G_SOCKET_FAMILY_IPV6) {
    return IceNetworkError{copy + " is an address within one link, which peers cannot use"};
  }
  return normal;
}

bool is_loopback_address(const std::string& address) {
  const auto parsed = to_address(address);
  return parsed && g_inet_address_get_is_loopback(parsed.get());
}

std::vector<std::string> ice_addresses_for(const std::string& host) {
  if (host == "localhost") return {"127.0.0.1"};
  if (!is_loopback_address(host)) return {};
  return {host.find(':') == std::string::npos ? "127.0.0.1" : "::1"};
}

bool only_loopback(const std::vector<std::string>& addresses) {
  return !addresses.empty() && std::ranges::all_of(addresses, is_loopback_address);
}

std::vector<std::string> interface_addresses(std::size_t max) {
  std::vector<std::string> addresses;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    if (!(each->ifa_flags & IFF_UP) || (each->ifa_flags & IFF_LOOPBACK)) continue;
    const auto address = to_address(each->ifa_addr);
    if (!address || g_inet_address_get_is_loopback(address.get())) continue;
    if (g_inet_address_get_is_link_local(address.get()) &&
        g_inet_address_get_family(address.get()) == G_SOCKET_FAMILY_IPV6) {
      continue;
    }
    addresses.push_back(to_text(address.get()));
  }
  freeifaddrs(all);
  // Addresses of documents (RFC 3849, RFC 5737): a machine has no route to them but its default
  // one.
  for (const char* elsewhere : {"2001:db8::1", "198.51.100.1"}) {
    const auto found = std::ranges::find(addresses, source_address_to(elsewhere));
    if (found != addresses.end()) std::rotate(addresses.begin(), found, found + 1);
  }
  if (addresses.size() > max) addresses.resize(max);
  return addresses;
}

bool is_of_this_machine(const std::string& text) {
  const auto address = to_address(text);
  if (!address) return false;
  if (g_inet_address_get_is_loopback(address.get())) return true;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return false;
  bool found = false;
  for (const ifaddrs* each = all; each && !found; each = each->ifa_next) {
    const auto own = to_address(each->ifa_addr);
    found = own && g_inet_address_equal(own.get(), address.get());
  }
  freeifaddrs(all);
  return found;
}

}  // namespace webrtcupload
