// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A STUN or TURN server as a client of the drop-in endpoint names it (RTCIceServer of the WebRTC
// API), and the reading of its URLs: a stranger's text, of which only checked parts are kept.

#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace webrtcupload {

struct IceServer {
  // Each exactly "stun:HOST:PORT", "turn:HOST:PORT?transport=udp" (or tcp), or
  // "turns:HOST:PORT?transport=tcp". HOST is a DNS name of letters, digits, '-', '_' and '.', an
  // IPv4 address, or an IPv6 address in brackets.
  std::vector<std::string> urls;
  // Of TURN; empty for STUN. Any UTF-8 text without control characters.
  std::string username;
  std::string credential;

  bool operator==(const IceServer&) const = default;
};

struct IceUrlError {
  std::string message;  // A phrase: "has no host".
};

// Reads a URL by RFC 7064 and RFC 7065 and returns it in the form above. An empty text is a valid
// URL of a kind that ICE here cannot use (STUN over TLS, TURN over DTLS), to be left out.
[[nodiscard]] std::variant<std::string, IceUrlError> parse_ice_url(std::string_view url);

// Reads the form that GStreamer's properties have: "stun://host:port", or
// "turn://user:password@host:port" (also turns://), with user and password percent-encoded.
[[nodiscard]] std::variant<IceServer, IceUrlError> parse_ice_server_uri(std::string_view uri);

// Those that may be told to everybody.
[[nodiscard]] std::vector<IceServer> without_credentials(std::vector<IceServer> servers);

}  // namespace webrtcupload
