// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/allowed_origins.h"

#include <gio/gio.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "core/name_list.h"
#include "glib/glib_ptr.h"
#include "json/printable.h"

namespace webrtcupload {
namespace {

constexpr std::string_view kNull = "null";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = g_ascii_tolower(c);
  return result;
}

// An address as it is always written, or nothing. Without the zones that GLib would take.
std::optional<std::string> ip_address(std::string_view text) {
  if (text.find('%') != std::string_view::npos) return std::nullopt;
  const GObjectPtr<GInetAddress> address(g_inet_address_new_from_string(std::string(text).c_str()));
  if (!address) return std::nullopt;
  const GCharPtr written(g_inet_address_to_string(address.get()));
  return std::string(written.get());
}

struct Host {
  std::string text;  // An IPv6 address is in brackets.
  bool is_ip = false;
};

// A DNS name or an address, in one of its spellings.
std::optional<Host> read_host(std::string_view text) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']') || text.find(':') == std::string_view::npos) return std::nullopt;
    const auto address = ip_address(text.substr(1, text.size() - 2));
    if (!address) return std::nullopt;
    return Host{"[" + *address + "]", true};
  }
  if (text.empty() || text.size() > 253 || text.starts_with('.') ||
      text.find("..") != std::string_view::npos ||
      !std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
      })) {
    return std::nullopt;
  }
  // What ends like a number is an address everywhere (WHATWG URL, 3.5), and written in one way
  // here.
  const std::string_view last = text.substr(text.rfind('.') + 1);
  if (!last.empty() && std::all_of(last.begin(), last.end(), is_digit)) {
    auto address = ip_address(text);
    if (!address) return std::nullopt;
    return Host{std::move(*address), true};
  }
  return Host{lower(text), false};
}

// Nothing if it is none.
std::optional<unsigned> read_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) {
    return std::nullopt;
  }
  const unsigned port = static_cast<unsigned>(std::stoul(std::string(text)));
  if (port < 1 || port > 65535) return std::nullopt;
  return port;
}

// The port of "host:port" with its colon, or an empty text at the end.
std::string_view port_part(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return authority.substr(authority.size());
  }
  return authority.substr(colon);
}

struct Origin {
  std::string scheme;
  Host host;
  unsigned port = 0;  // 0 = that of the scheme.
};

unsigned default_port(std::string_view scheme) {
  return scheme == "http" ? 80 : scheme == "https" ? 443 : 0;
}

// The origin, or what is wrong with the text: a phrase about "it".
std::variant<Origin, std::string> read_origin(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    return "it has a space or a character that is not ASCII; names with such are written as "
           "xn--...";
  }
  const std::size_t end = text.find("://");
  const std::string_view scheme = text.substr(0, end);
  if (end == std::string_view::npos || scheme.empty() || !is_letter(scheme.front()) ||
      !std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      })) {
    return "it does not begin with a scheme, such as https://";
  }
  const std::string_view authority = text.substr(end + 3);
  if (authority.find_first_of("/?#") != std::string_view::npos) {
    return "it goes on behind the host and port, where an origin ends";
  }
  if (authority.find('@') != std::string_view::npos) return "it has a user name";
  Origin origin{.scheme = lower(scheme)};
  const std::string_view port = port_part(authority);
  const std::string_view name = authority.substr(0, authority.size() - port.size());
  auto host = read_host(name);
  if (!host) {
    return "its host \"" + std::string(name) + "\" is neither a name nor an IP address";
  }
  origin.host = std::move(*host);
  if (!port.empty()) {
    const auto number = read_port(port.substr(1));
    if (!number) return "its port is not a number from 1 to 65535";
    if (*number != default_port(origin.scheme)) origin.port = *number;
  }
  return origin;
}

}  // namespace

std::string normal_origin(std::string_view origin) {
  if (origin == kNull) return std::string(kNull);
  const auto read = read_origin(origin);
  const auto* good = std::get_if<Origin>(&read);
  if (!good) return "";
  std::string text = good->scheme + "://" + good->host.text;
  if (good->port != 0) text += ":" + std::to_string(good->port);
  return text;
}

std::string AllowedOrigins::add(std::string_view text) {
  if (text == "*") {
    all_ = true;
    return "";
  }
  if (text != kNull) {
    const auto read = read_origin(text);
    if (const auto* problem = std::get_if<std::string>(&read)) {
      return "\"" + printable(text) + "\" is no origin (scheme://host[:port]): " + *problem;
    }
  }
  origins_.insert(normal_origin(text));
  return "";
}

std::string AllowedOrigins::add_list(std::string_view text) {
  for (const std::string_view item : list_parts(text)) {
    if (std::string problem = add(item); !problem.empty()) return problem;
  }
  return "";
}

bool AllowedOrigins::lists(std::string_view origin) const {
  if (all()) return true;
  return origins_.contains(normal_origin(origin));
}

OwnOrigin own_origin(std::string_view origin, std::string_view host) {
  const auto read = read_origin(origin);
  const auto* page = std::get_if<Origin>(&read);
  if (!page || default_port(page->scheme) == 0) return OwnOrigin::kNo;
  const std::string_view port = port_part(host);
  const auto own = read_host(host.substr(0, host.size() - port.size()));
  if (!own || own->text != page->host.text) return OwnOrigin::kNo;
  const unsigned standard = default_port(page->scheme);
  const auto own_port = port.empty() ? standard : read_port(port.substr(1));
  if (own_port != (page->port != 0 ? page->port : standard)) return OwnOrigin::kNo;
  return own->is_ip || own->text == "localhost" ? OwnOrigin::kYes : OwnOrigin::kByName;
}

}  // namespace webrtcupload
