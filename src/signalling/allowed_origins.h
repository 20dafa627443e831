// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which web pages may use a server. A browser says in a request's Origin header (RFC 6454) whose
// page it comes from, and no page can make it lie; programs send no such header. Nobody's pages may
// until something has been added: a server on this machine is within reach of every page that a
// browser here shows. Its own page is not this class's business; see own_origin().

#pragma once

#include <set>
#include <string>
#include <string_view>

namespace webrtcupload {

class AllowedOrigins {
 public:
  // Adds an origin, scheme://host[:port]; "null", which a browser says for files and for sandboxed
  // frames; or "*", every page. An empty string, or what is wrong, a sentence without its period.
  [[nodiscard]] std::string add(std::string_view text);
  // The same for several with commas between them.
  [[nodiscard]] std::string add_list(std::string_view text);

  // Every page.
  [[nodiscard]] bool all() const { return all_; }
  // Whether a page of this origin may, as the header has it.
  [[nodiscard]] bool lists(std::string_view origin) const;

 private:
  bool all_ = false;
  std::set<std::string, std::less<>> origins_;  // In the form of RFC 6454, 6.2.
};

// The origin in the form of RFC 6454, 6.2: in lower case, without its scheme's own port. "null" as
// it is; empty if it is no origin.
[[nodiscard]] std::string normal_origin(std::string_view origin);

// Whether a page of `origin` came from the server that a request with this Host header was sent to,
// by host and port. Only the address tells: behind a proxy the scheme is not known here.
enum class OwnOrigin {
  kNo,
  // By an IP address or as "localhost".
  kYes,
  // By a name. A page of anybody's domain gets here by letting its name lead to this machine (DNS
  // rebinding), so this alone proves nothing about the page.
  kByName,
};
[[nodiscard]] OwnOrigin own_origin(std::string_view origin, std::string_view host);

}  // namespace webrtcupload
