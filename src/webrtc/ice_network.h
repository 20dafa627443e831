// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an operator says about the network between ICE and its peers: which UDP ports are open, and
// under which addresses others reach this machine.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace webrtcupload {

struct UdpPortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  [[nodiscard]] std::size_t size() const {
    return last < first ? 0 : std::size_t{1} + last - first;
  }
  bool operator==(const UdpPortRange&) const = default;
};

// "50000-50100"; one port as "50000".
[[nodiscard]] std::string to_string(const UdpPortRange& range);

struct IceNetworkError {
  // For after the name of an option or a property and ": ".
  std::string message;
};

// Reads "MIN-MAX" with 1024 <= MIN <= MAX <= 65535. "PORT" is a range of one.
[[nodiscard]] std::variant<UdpPortRange, IceNetworkError> parse_udp_port_range(
    std::string_view text);
// The same for two numbers.
[[nodiscard]] std::variant<UdpPortRange, IceNetworkError> make_udp_port_range(std::uint32_t first,
                                                                              std::uint32_t last);

// Whether peers can be told to reach this machine at `text`: an IPv4 or IPv6 address of one
// machine, without a scope. Returns it as RFC 5952 writes it.
[[nodiscard]] std::variant<std::string, IceNetworkError> parse_announced_address(
    std::string_view text);

struct IceNetwork {
  // The ports of the sockets; nothing = whichever the system gives.
  std::optional<UdpPortRange> udp_ports;
  // In place of this machine's own addresses of the same family, since these are not those that
  // peers reach: 1:1 NAT, a container.
  std::vector<std::string> announced_addresses;
};

// Whether `address` is an IP address of the loopback interface.
[[nodiscard]] bool is_loopback_address(const std::string& address);

// Where ICE listens for a server or a URL whose host is `host`: only at loopback when that is
// loopback; empty = every interface.
[[nodiscard]] std::vector<std::string> ice_addresses_for(const std::string& host);

// Whether only loopback is listened on. An empty list is every interface.
[[nodiscard]] bool only_loopback(const std::vector<std::string>& addresses);

// The machine's addresses by which other machines may reach it, as they are now: those of
// interfaces that are up, except for loopback and IPv6 link-local ones. First those of the default
// routes, which browsers use. At most `max`: each of them is a socket, and checks for the peer.
[[nodiscard]] std::vector<std::string> interface_addresses(std::size_t max = 8);

// Whether a packet to `address` stays on this machine.
[[nodiscard]] bool is_of_this_machine(const std::string& address);

}  // namespace webrtcupload
