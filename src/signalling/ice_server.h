// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A STUN or TURN server as a client of the drop-in endpoint names it (RTCIceServer of the WebRTC
// API).

#pragma once

#include <string>
#include <vector>

namespace webrtcupload {

struct IceServer {
  // "stun:host:port", "turn:host:port?transport=udp", "turns:...": checked when they were parsed.
  std::vector<std::string> urls;
  // Of TURN; empty for STUN.
  std::string username;
  std::string credential;

  bool operator==(const IceServer&) const = default;
};

}  // namespace webrtcupload
