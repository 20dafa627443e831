// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/sdp/ice_candidates.h"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <string_view>

namespace webrtcupload {
namespace {

constexpr std::string_view kPrefix = "a=candidate:";
// foundation, component, transport, priority, address, port, "typ", type
constexpr std::size_t kParts = 8;
constexpr std::size_t kFoundation = 0, kTransport = 2, kPriority = 3, kAddress = 4, kType = 7;

// What is between single spaces.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t space = text.find(' ');
    parts.emplace_back(text.substr(0, space));
    if (space == std::string_view::npos) return parts;
    text.remove_prefix(space + 1);
  }
}

std::string join(const std::vector<std::string>& parts) {
  std::string line;
  for (const std::string& part : parts) {
    if (!line.empty()) line += ' ';
    line += part;
  }
  return line;
}

// Calls `rewrite` with the parts of each candidate, which returns what to write in its place.
std::string rewrite_candidates(
    const std::string& sdp,
    const std::function<std::vector<std::string>(const std::vector<std::string>&)>& rewrite) {
  std::string out;
  std::string_view rest = sdp;
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    const std::string_view line = rest.substr(0, newline == rest.npos ? newline : newline + 1);
    rest.remove_prefix(line.size());
    const std::size_t end = line.find_last_not_of("\r\n");
    if (!line.starts_with(kPrefix) || end == line.npos) {
      out += line;
      continue;
    }
    const auto parts = split(line.substr(kPrefix.size(), end + 1 - kPrefix.size()));
    if (parts.size() < kParts) {
      out += line;
      continue;
    }
    for (const std::string& candidate : rewrite(parts)) {
      out += kPrefix;
      out += candidate;
      out += line.substr(end + 1);
    }
  }
  return out;
}

bool is_ipv6(const std::string& address) { return address.find(':') != std::string::npos; }

// Lower by `steps` of the local preference (RFC 8445, 5.1.2.1), so that no two are the same.
std::string lower_priority(const std::string& text, std::size_t steps) {
  std::uint32_t priority = 0;
  std::from_chars(text.data(), text.data() + text.size(), priority);
  const auto less = static_cast<std::uint32_t>(steps << 8);
  return std::to_string(priority > less ? priority - less : 1);
}

}  // namespace

std::string keep_candidates(const std::string& sdp,
                            const std::function<bool(const std::string& address)>& keeps) {
  return rewrite_candidates(sdp, [&keeps](const std::vector<std::string>& parts) {
    return keeps(parts[kAddress]) ? std::vector{join(parts)} : std::vector<std::string>{};
  });
}

std::string announce_addresses(const std::string& sdp, const std::vector<std::string>& addresses) {
  if (addresses.empty()) return sdp;
  return rewrite_candidates(sdp, [&addresses](std::vector<std::string> parts) {
    std::vector<std::string> lines;
    const bool udp = g_ascii_strcasecmp(parts[kTransport].c_str(), "udp") == 0;
    if (udp && parts[kType] == "host") {
      const std::string foundation = parts[kFoundation];
      const std::string priority = parts[kPriority];
      const bool ipv6 = is_ipv6(parts[kAddress]);
      for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (is_ipv6(addresses[i]) != ipv6) continue;
        // A foundation is for candidates of one base, which peers know by the address.
        parts[kFoundation] = foundation + "a" + std::to_string(i);
        parts[kPriority] = lower_priority(priority, i);
        parts[kAddress] = addresses[i];
        lines.push_back(join(parts));
      }
    }
    // Nobody uses a link-local address without knowing the link.
    if (lines.empty() && !parts[kAddress].starts_with("fe80:")) lines.push_back(join(parts));
    return lines;
  });
}

}  // namespace webrtcupload
