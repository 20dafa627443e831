// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcbin's ICE agent: which addresses and ports it uses, and who reaches it there.

#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "webrtc/ice_network.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// What the system says of this machine. Sockets are opened to ask.
struct LocalMachine {
  // Whether sockets can be kept to it: a sandbox may not allow that.
  bool can_filter = false;
  // Then its addresses beside loopback.
  std::vector<std::string> addresses;
};
[[nodiscard]] LocalMachine look_at_machine();

struct IceSetup {
  // Where to listen; empty = every interface.
  std::vector<std::string> local_addresses;
  // Peers are on this machine, and no other machine may reach it. With loopback addresses it
  // listens at the machine's other addresses as well, for browsers that leave loopback out (Firefox
  // does). restrict_to_this_machine() keeps the others out.
  bool this_machine = false;
  // For that; nothing = it is looked at when ICE is set up. With it no socket is opened there.
  std::optional<LocalMachine> machine;
  IceNetwork network;
};

// Before webrtcbin leaves READY. An empty string, or what is wrong.
[[nodiscard]] std::string set_up_ice(GstElement* webrtcbin, const IceSetup& setup);

// The first STUN server is used, and every TURN server. Before webrtcbin leaves READY.
void add_ice_servers(GstElement* webrtcbin, const std::vector<IceServer>& servers);

// The kernel throws away whatever the sockets are sent by other machines, from now on. Before
// anybody knows the local description: without its password nothing that came earlier has any
// effect. An empty string, or what is wrong. Not under the PC lock.
[[nodiscard]] std::string restrict_to_this_machine(GstElement* webrtcbin);

// The UDP ports on which ICE listens, each once, in order; none before it gathers candidates, or if
// that failed. Not under the PC lock.
[[nodiscard]] std::vector<std::uint16_t> ice_ports(GstElement* webrtcbin);

// Why there is not one candidate.
[[nodiscard]] std::string why_no_candidates(const IceNetwork& network);

// For the end of a sentence about packets that do not get through: at which of these.
[[nodiscard]] std::string listens_at(GstElement* webrtcbin, const IceNetwork& network);

}  // namespace webrtcupload
