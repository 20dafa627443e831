// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What operators say about ports and addresses, and what becomes of the candidates in session
// descriptions. Who reaches the sockets is tested between network namespaces, in tests/network.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "webrtc/ice_network.h"
#include "webrtc/sdp/ice_candidates.h"

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string wrong_range(const std::string& text) {
  const auto parsed = parse_udp_port_range(text);
  const auto* error = std::get_if<IceNetworkError>(&parsed);
  return error ? error->message : "";
}

TEST(UdpPorts, RangesAreRead) {
  EXPECT_EQ(std::get<UdpPortRange>(parse_udp_port_range("50000-50100")),
            (UdpPortRange{50000, 50100}));
  EXPECT_EQ(std::get<UdpPortRange>(parse_udp_port_range("1024-65535")),
            (UdpPortRange{1024, 65535}));
  EXPECT_EQ(std::get<UdpPortRange>(parse_udp_port_range("50000")), (UdpPortRange{50000, 50000}));
  EXPECT_EQ((UdpPortRange{50000, 50100}.size()), 101);
  EXPECT_EQ((UdpPortRange{1024, 65535}.size()), 64512);
  EXPECT_EQ(to_string(UdpPortRange{50000, 50100}), "50000-50100");
  EXPECT_EQ(to_string(UdpPortRange{50000, 50000}), "50000");
}

TEST(UdpPorts, WhatIsNoRangeIsRefusedWithTheReason) {
  for (const char* text :
       {"", "-", "50000-", "-50100", "a-b", "50000-50100-50200", "50000 - 50100", "+50000-50100",
        "5e4", "0x400", "99999999999-99999999999", "50000,50100"}) {
    EXPECT_THAT(wrong_range(text), HasSubstr("is not a range of ports")) << text;
  }
  EXPECT_THAT(wrong_range("50100-50000"), HasSubstr("the wrong way round"));
  EXPECT_THAT(wrong_range("1023-2000"), HasSubstr("below 1024"));
  EXPECT_THAT(wrong_range("0-0"), HasSubstr("below 1024"));
  EXPECT_THAT(wrong_range("50000-65536"), HasSubstr("the last port, 65535"));
}

TEST(AnnouncedAddress, IsOneMachines) {
  EXPECT_EQ(std::get<std::string>(parse_announced_address("192.0.2.7")), "192.0.2.7");
  EXPECT_EQ(std::get<std::string>(parse_announced_address("2001:DB8:0:0::7")), "2001:db8::7");
  // A container on the machine that its clients are on.
  EXPECT_EQ(std::get<std::string>(parse_announced_address("127.0.0.1")), "127.0.0.1");
  for (const char* text :
       {"", "example.org", "192.0.2", "192.0.2.7:80", "[2001:db8::7]", "0.0.0.0", "::", "224.0.0.1",
        "ff02::1", "255.255.255.255", "fe80::1", "fe80::1%lo", "192.0.2.7 "}) {
    EXPECT_TRUE(std::holds_alternative<IceNetworkError>(parse_announced_address(text))) << text;
  }
}

TEST(IceAddresses, ThoseOfLoopbackAreKnown) {
  for (const char* address : {"127.0.0.1", "127.255.0.3", "::1"}) {
    EXPECT_TRUE(is_loopback_address(address)) << address;
  }
  // A name is none.
  for (const char* address :
       {"", "0.0.0.0", "::", "192.0.2.1", "128.0.0.1", "fe80::1", "::2", "::ffff:192.0.2.1",
        "localhost", "example.org", "127.0.0.1.example.org"}) {
    EXPECT_FALSE(is_loopback_address(address)) << address;
  }
}

TEST(IceAddresses, LoopbackStaysOnLoopback) {
  EXPECT_EQ(ice_addresses_for("127.0.0.1"), std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(ice_addresses_for("localhost"), std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(ice_addresses_for("::1"), std::vector<std::string>{"::1"});
  EXPECT_TRUE(ice_addresses_for("0.0.0.0").empty());
  EXPECT_TRUE(ice_addresses_for("192.0.2.1").empty());
  EXPECT_TRUE(ice_addresses_for("example.org").empty());
  EXPECT_TRUE(only_loopback({"127.0.0.1", "::1"}));
  EXPECT_FALSE(only_loopback({"127.0.0.1", "192.0.2.1"}));
  EXPECT_FALSE(only_loopback({}));
}

TEST(IceAddresses, ThisMachinesAreKnown) {
  EXPECT_TRUE(is_of_this_machine("127.0.0.1"));
  EXPECT_TRUE(is_of_this_machine("127.1.2.3"));
  EXPECT_TRUE(is_of_this_machine("::1"));
  for (const std::string& address : interface_addresses()) {
    EXPECT_TRUE(is_of_this_machine(address)) << address;
    EXPECT_FALSE(is_loopback_address(address)) << address;
  }
  EXPECT_LE(interface_addresses(1).size(), 1);
  EXPECT_FALSE(is_of_this_machine("203.0.113.77"));
  EXPECT_FALSE(is_of_this_machine("2001:db8::77"));
  EXPECT_FALSE(is_of_this_machine("8e2ff2e9.local"));
}

// As webrtcbin writes them.
constexpr const char* kSdp =
    "v=0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 UDP 2015364095 172.17.0.2 50001 typ host\r\n"
    "a=candidate:2 1 TCP 1015022591 172.17.0.2 9 typ host tcptype active\r\n"
    "a=candidate:3 1 UDP 2015363839 fd17::2 50002 typ host\r\n"
    "a=candidate:5 1 UDP 2015363583 fe80::4c3e:ceff:fe04:a0b7 50003 typ host\r\n"
    "a=candidate:4 1 UDP 1677722111 192.0.2.9 50001 typ srflx raddr 172.17.0.2 rport 50001\r\n"
    "a=mid:0\r\n";

TEST(Candidates, AnnouncedAddressesTakeThePlaceOfTheirFamilys) {
  const std::string sdp = announce_addresses(kSdp, {"203.0.113.7"});
  EXPECT_EQ(
      sdp,
      "v=0\r\n"
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
      "c=IN IP4 0.0.0.0\r\n"
      "a=candidate:1a0 1 UDP 2015364095 203.0.113.7 50001 typ host\r\n"
      "a=candidate:2 1 TCP 1015022591 172.17.0.2 9 typ host tcptype active\r\n"
      "a=candidate:3 1 UDP 2015363839 fd17::2 50002 typ host\r\n"
      "a=candidate:4 1 UDP 1677722111 192.0.2.9 50001 typ srflx raddr 172.17.0.2 rport 50001\r\n"
      "a=mid:0\r\n");
}

TEST(Candidates, EachAnnouncedAddressHasItsOwn) {
  const std::string sdp = announce_addresses(kSdp, {"203.0.113.7", "2001:db8::7", "203.0.113.8"});
  EXPECT_THAT(sdp, HasSubstr("a=candidate:1a0 1 UDP 2015364095 203.0.113.7 50001 typ host\r\n"
                             "a=candidate:1a2 1 UDP 2015363583 203.0.113.8 50001 typ host\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=candidate:3a1 1 UDP 2015363583 2001:db8::7 50002 typ host\r\n"));
  EXPECT_THAT(sdp, Not(HasSubstr("fd17::2")));
}

TEST(Candidates, WithoutAnnouncedAddressesNothingChanges) {
  EXPECT_EQ(announce_addresses(kSdp, {}), kSdp);
}

TEST(Candidates, ThoseOfOthersAreLeftOut) {
  const auto keeps = [](const std::string& address) { return address == "fd17::2"; };
  EXPECT_EQ(keep_candidates(kSdp, keeps),
            "v=0\r\n"
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
            "c=IN IP4 0.0.0.0\r\n"
            "a=candidate:3 1 UDP 2015363839 fd17::2 50002 typ host\r\n"
            "a=mid:0\r\n");
  EXPECT_EQ(keep_candidates("", keeps), "");
  EXPECT_EQ(keep_candidates("a=candidate:", keeps), "a=candidate:");
}

}  // namespace
}  // namespace webrtcupload
