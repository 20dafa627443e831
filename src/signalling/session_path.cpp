// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/session_path.h"

#include "signalling/http_server.h"

namespace webrtcupload {
namespace {

constexpr std::string_view kConnections = "connections";

}  // namespace

SessionPath parse_session_path(std::string_view path) {
  constexpr std::string_view kPrefix = HttpServer::kSessionsPath;
  if (!path.starts_with(kPrefix)) return {};
  path.remove_prefix(kPrefix.size());
  const std::size_t slash = path.find('/');
  const std::string session(path.substr(0, slash));
  if (slash == path.npos) return {.session = session};
  const std::string_view rest = path.substr(slash + 1);
  if (rest == kConnections) return {SessionPath::What::kConnections, session, ""};
  if (!rest.starts_with(kConnections) || rest[kConnections.size()] != '/') {
    return {.session = std::string(path)};
  }
  return {SessionPath::What::kConnection, session,
          std::string(rest.substr(kConnections.size() + 1))};
}

std::string session_path_methods(std::string_view path) {
  switch (parse_session_path(path).what) {
    case SessionPath::What::kConnections:
      return "POST";
    case SessionPath::What::kConnection:
      return "DELETE";
    case SessionPath::What::kSession:
      break;
  }
  return "GET, HEAD, DELETE";
}

std::string connections_path(std::string_view session) {
  return HttpServer::kSessionsPath + std::string(session) + "/" + std::string(kConnections);
}

}  // namespace webrtcupload
