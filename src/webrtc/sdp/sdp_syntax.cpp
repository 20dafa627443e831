// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/sdp/sdp_syntax.h"

#include <gio/gio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace webrtcupload::sdp {
namespace {

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool is_alnum(char c) { return g_ascii_isalnum(c); }
bool is_ice_char(char c) { return is_alnum(c) || c == '+' || c == '/'; }
bool is_mid_char(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }

// "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX.local", the names browsers hide addresses behind. No other
// name is let through: resolving it would make the server look up whatever a stranger says.
bool is_mdns_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".local";
  if (name.size() != 36 + kSuffix.size() || !name.ends_with(kSuffix)) return false;
  return all_of(name.substr(0, 36), [](char c) { return g_ascii_isxdigit(c) || c == '-'; });
}

bool is_usable_address(std::string_view text) {
  const std::string copy(text);
  GInetAddress* address = g_inet_address_new_from_string(copy.c_str());
  if (!address) return is_mdns_name(text);
  const bool usable = !g_inet_address_get_is_any(address) &&
                      !g_inet_address_get_is_multicast(address) && copy != "255.255.255.255";
  g_object_unref(address);
  return usable;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 64)) out += g_ascii_isprint(c) && c != '"' ? c : '?';
  if (text.size() > 64) out += "...";
  return out + "\"";
}

bool is_printable(std::string_view text) {
  return all_of(text, [](char c) { return (c >= 0x20 && c < 0x7f) || (c & 0x80); });
}

bool is_mid(std::string_view text) {
  return !text.empty() && text.size() <= 32 && all_of(text, is_mid_char);
}

bool is_digits(std::string_view text) {
  return !text.empty() && all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_ice_text(std::string_view text, std::size_t shortest) {
  return text.size() >= shortest && text.size() <= 256 && all_of(text, is_ice_char);
}

bool is_token(std::string_view text) {
  constexpr std::string_view kSigns = "!#$%&'*+-.^_`{|}~";
  return !text.empty() && text.size() <= 32 && all_of(text, [kSigns](char c) {
    return is_alnum(c) || kSigns.find(c) != std::string_view::npos;
  });
}

bool is_protocol(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         all_of(text, [](char c) { return is_mid_char(c) || c == '/'; });
}

bool is_codec(std::string_view value) {
  const auto parts = split(value, '/');
  if (parts.size() != 2 && parts.size() != 3) return false;
  if (!is_mid(parts[0])) return false;
  std::string lower(parts[0]);
  std::transform(lower.begin(), lower.end(), lower.begin(), g_ascii_tolower);
  for (const char* skipped : {"rtx", "red", "ulpfec", "flexfec-03"}) {
    if (lower == skipped) return false;
  }
  if (!to_integer<std::uint32_t>(parts[1], 1, 1000000)) return false;
  return parts.size() == 2 || to_integer<int>(parts[2], 1, 255).has_value();
}

bool is_fmtp(std::string_view value) {
  return !value.empty() && value.size() <= 256 && all_of(value, [](char c) {
    return is_alnum(c) || std::string_view("-_.+/=,:; ").find(c) != std::string_view::npos;
  });
}

std::optional<std::string_view> fingerprint_algorithm(std::string_view value) {
  const auto parts = split(value, ' ');
  if (parts.size() != 2) return std::nullopt;
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 4> kAlgorithms = {
      {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}, {"sha-1", 20}}};
  for (const auto& [name, bytes] : kAlgorithms) {
    if (g_ascii_strncasecmp(parts[0].data(), name.data(), name.size()) != 0 ||
        parts[0].size() != name.size()) {
      continue;
    }
    if (parts[1].size() != bytes * 3 - 1) return std::nullopt;
    for (std::size_t i = 0; i < parts[1].size(); ++i) {
      const char c = parts[1][i];
      if (i % 3 == 2 ? c != ':' : !g_ascii_isxdigit(c)) return std::nullopt;
    }
    return name;
  }
  return std::nullopt;
}

std::optional<std::string> rewrite_candidate(std::string_view value) {
  const auto part = split(value, ' ');
  if (part.size() < 8 || part.size() > 64) return std::nullopt;
  if (part[0].size() > 32 || !all_of(part[0], is_ice_char)) return std::nullopt;
  if (part[1] != "1" || part[2].size() != 3 || g_ascii_strncasecmp(part[2].data(), "udp", 3) != 0) {
    return std::nullopt;
  }
  const auto priority = to_integer<std::uint32_t>(part[3], 1, 0x7fffffff);
  const auto port = to_integer<std::uint32_t>(part[5], 1, 65535);
  if (!priority || !port || !is_usable_address(part[4]) || part[6] != "typ") return std::nullopt;
  const std::string_view type = part[7];
  if (type != "host" && type != "srflx" && type != "prflx" && type != "relay") return std::nullopt;
  std::string out(part[0]);
  out += " 1 UDP " + std::to_string(*priority) + " " + std::string(part[4]) + " " +
         std::to_string(*port) + " typ " + std::string(type);
  // libnice wants the related address of reflexive and relayed candidates, and never uses it.
  if (type != "host") out += " raddr 0.0.0.0 rport 0";
  return out;
}

}  // namespace webrtcupload::sdp
