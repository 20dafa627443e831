// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the path of a request below HttpServer::kSessionsPath names: a session, all of its further
// connections, or one of those.

#pragma once

#include <string>
#include <string_view>

namespace webrtcupload {

struct SessionPath {
  enum class What { kSession, kConnections, kConnection };

  What what = What::kSession;
  // What there can be none of, such as the empty one, is nobody's.
  std::string session;
  // Of kConnection.
  std::string connection;
};

[[nodiscard]] SessionPath parse_session_path(std::string_view path);
// The methods that the path takes, as in a header Allow, but for OPTIONS.
[[nodiscard]] std::string session_path_methods(std::string_view path);
// Where a further offer of the session goes, and, with a slash and its name behind, where its
// connection is.
[[nodiscard]] std::string connections_path(std::string_view session);

}  // namespace webrtcupload
