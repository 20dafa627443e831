// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/ice_server.h"

#include <glib.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <optional>

namespace webrtcupload {
namespace {

constexpr std::size_t kMaxUrl = 512;
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return g_ascii_isdigit(c); });
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxName) return false;
  std::string_view last;
  for (std::string_view rest = text;;) {
    const std::size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (last.empty() || last.size() > kMaxLabel || last.front() == '-') return false;
    if (!std::all_of(last.begin(), last.end(),
                     [](char c) { return g_ascii_isalnum(c) || c == '-' || c == '_'; })) {
      return false;
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // Resolvers read "127.1" and "0x7f000001" as addresses; that is what nobody means to write.
  const bool number = is_digits(last) || last.starts_with("0x") || last.starts_with("0X");
  return !number || is_ipv4(std::string(text));
}

// Takes "HOST" off the front of `rest`; brackets stay.
std::optional<std::string> take_host(std::string_view& rest) {
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string inside(rest.substr(1, end - 1));
    if (!is_ipv6(inside)) return std::nullopt;
    rest.remove_prefix(end + 1);
    return "[" + inside + "]";
  }
  const std::string host(rest.substr(0, rest.find(':')));
  if (!is_name(host)) return std::nullopt;
  rest.remove_prefix(host.size());
  return host;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return g_ascii_tolower(c); });
  return result;
}

}  // namespace

std::variant<std::string, IceUrlError> parse_ice_url(std::string_view url) {
  if (url.size() > kMaxUrl) {
    return IceUrlError{"is longer than " + std::to_string(kMaxUrl) + " bytes"};
  }
  const std::size_t colon = url.find(':');
  const std::string scheme = lower(url.substr(0, colon == std::string_view::npos ? 0 : colon));
  const bool turn = scheme == "turn" || scheme == "turns";
  if (!turn && scheme != "stun" && scheme != "stuns") {
    return IceUrlError{"does not begin with stun:, turn: or turns:"};
  }
  const bool tls = scheme.ends_with('s');
  std::string_view rest = url.substr(colon + 1);

  std::string transport = tls ? "tcp" : "udp";
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    const std::string text = lower(rest.substr(query + 1));
    // RFC 7064 knows none for STUN, yet services hand out "stun:...?transport=udp".
    if (text != "transport=udp" && (text != "transport=tcp" || scheme == "stun")) {
      return IceUrlError{"has something other than transport=udp or transport=tcp after its \"?\""};
    }
    transport = text.substr(text.size() - 3);
    rest = rest.substr(0, query);
  }
  const auto host = take_host(rest);
  if (!host) return IceUrlError{"has no valid host"};
  unsigned port = tls ? 5349 : 3478;
  if (!rest.empty()) {
    const std::string_view digits = rest.substr(1);
    if (rest.front() != ':' || !is_digits(digits) || digits.size() > 5) {
      return IceUrlError{"has no valid port"};
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (port < 1 || port > 65535) return IceUrlError{"has no valid port"};
  }
  if (tls && (!turn || transport != "tcp")) return std::string();
  std::string result = scheme + ":" + *host + ":" + std::to_string(port);
  if (turn) result += "?transport=" + transport;
  return result;
}

std::variant<IceServer, IceUrlError> parse_ice_server_uri(std::string_view uri) {
  IceServer server;
  std::string url(uri);
  if (const std::size_t slashes = url.find("://"); slashes != std::string::npos) {
    url.erase(slashes + 1, 2);
  }
  if (const std::size_t at = url.rfind('@'); at != std::string::npos) {
    const std::size_t colon = url.find(':');
    const std::string credentials = url.substr(colon + 1, at - colon - 1);
    const std::size_t between = credentials.find(':');
    if (between == std::string::npos) return IceUrlError{"has no password before the \"@\""};
    const auto decode = [](const std::string& text, std::string& out) {
      char* decoded = g_uri_unescape_string(text.c_str(), nullptr);
      if (decoded) out = decoded;
      g_free(decoded);
      return decoded && g_utf8_validate(out.data(), static_cast<gssize>(out.size()), nullptr) &&
             std::none_of(out.begin(), out.end(), [](char c) { return g_ascii_iscntrl(c); });
    };
    if (!decode(credentials.substr(0, between), server.username) ||
        !decode(credentials.substr(between + 1), server.credential)) {
      return IceUrlError{
          "has credentials that are not percent-encoded text without control characters"};
    }
    url.erase(colon + 1, at - colon);
  }
  auto parsed = parse_ice_url(url);
  if (auto* error = std::get_if<IceUrlError>(&parsed)) return std::move(*error);
  auto& checked = std::get<std::string>(parsed);
  if (checked.empty()) return IceUrlError{"is of a kind that ICE cannot use here"};
  if (checked.starts_with("turn") && server.username.empty()) {
    return IceUrlError{"names a TURN server without user and password"};
  }
  server.urls.push_back(std::move(checked));
  return server;
}

std::vector<IceServer> without_credentials(std::vector<IceServer> servers) {
  std::erase_if(servers, [](const IceServer& server) { return !server.username.empty(); });
  return servers;
}

}  // namespace webrtcupload
