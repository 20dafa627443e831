// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/session_request.h"

#include <utility>

#include "signalling/whip.h"

namespace webrtcupload {

std::variant<SessionRequest, HttpError> read_session_request(const HttpRequest& request,
                                                             const ApiKeys& keys) {
  if (request.bearer_token) {
    if (auto error = keys.check(request.bearer_token)) return std::move(*error);
  }
  SessionRequest session;
  session.whip = request.path == HttpServer::kUploadPath;
  auto parsed = session.whip ? parse_whip_request(request) : parse_worker_request(request.body);
  if (auto* error = std::get_if<HttpError>(&parsed)) return std::move(*error);
  session.worker = std::move(std::get<WorkerRequest>(parsed));
  session.key = request.bearer_token ? request.bearer_token : session.worker.api_key;
  if (auto error = keys.check(session.key)) return std::move(*error);
  return session;
}

void reply_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                  const std::string& session, const std::vector<IceServer>& servers) {
  const std::string location = HttpServer::kSessionsPath + session;
  if (whip) return reply_whip(responder, answer_sdp, location, servers);
  responder.reply_json(200, worker_reply(answer_sdp), {{"Location", location}});
}

std::string session_id_of(const HttpRequest& request) {
  constexpr std::string_view kPrefix = HttpServer::kSessionsPath;
  return request.path.starts_with(kPrefix) ? request.path.substr(kPrefix.size()) : "";
}

void reply_status(const HttpResponder& responder, const SessionStatus& status) {
  responder.reply_json(200, session_status_json(status), {{"Cache-Control", "no-store"}});
}

HttpError no_such_session() { return {404, "NotFound", "There is no such session.", {}}; }

HttpError too_many_sessions(std::size_t most) {
  const std::string what =
      most == 1 ? "The server takes one upload at a time."
                : "The server has as many sessions as it allows (" + std::to_string(most) + ").";
  return {429, HttpError::kTooManySessions, what + " Try again later.", {}};
}

HttpError no_randomness() {
  return {500, "InternalError", "The system gives no random numbers.", {}};
}

HttpError server_stops() { return {503, "Stopped", "The server is being stopped.", {}}; }

}  // namespace webrtcupload
