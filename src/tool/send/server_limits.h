// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a server says of itself before an upload, in reply to GET /limits, as far as `send` needs
// it.

#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace webrtcupload {

struct ServerLimits {
  // Versions of the wire format.
  bool v1 = true;
  bool v2 = false;
  // Of one upload in v2.
  unsigned max_connections = 1;
};

// The most connections that an upload may have, whatever a server says.
inline constexpr unsigned kMostConnections = 64;

// A server that does not know the question, or answers something else, is older: it speaks v1.
[[nodiscard]] ServerLimits parse_server_limits(unsigned status, std::string_view body);
// Where it is asked: beside the endpoint for offers.
[[nodiscard]] std::string limits_url(const std::string& endpoint);

}  // namespace webrtcupload
