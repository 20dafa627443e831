// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_ports.h"

#include <charconv>
#include <string_view>

#include "webrtc/ice_network.h"

namespace webrtcupload {
namespace {

constexpr std::uint16_t kAnyPort = 0;
constexpr std::uint16_t kNamesPort = 53;

// "turn:HOST:PORT?transport=tcp" and its like; 0 if TCP is not used.
std::uint16_t tcp_port_of(std::string_view url) {
  const std::size_t query = url.find('?');
  if (query == url.npos || !url.substr(query).ends_with("transport=tcp")) return 0;
  const std::string_view place = url.substr(0, query);
  const std::string_view digits = place.substr(place.rfind(':') + 1);
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

}  // namespace

LandlockPorts ports_of_ice(const SessionConfig& config) {
  LandlockPorts ports;
  const bool listens = !only_loopback(config.ice_addresses) && !config.ice_network.udp_ports &&
                       config.ice_network.announced_addresses.empty();
  if (listens) ports.bind.push_back(kAnyPort);
  for (const IceServer& server : config.ice_servers) {
    for (const std::string& url : server.urls) {
      if (const auto port = tcp_port_of(url)) ports.connect.push_back(port);
    }
  }
  // A reply that is too long for UDP is asked for once more.
  if (!config.ice_servers.empty()) ports.connect.push_back(kNamesPort);
  return ports;
}

}  // namespace webrtcupload
