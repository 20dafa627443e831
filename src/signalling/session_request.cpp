// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/session_request.h"

#include <string_view>
#include <utility>

#include "signalling/session_path.h"
#include "signalling/whip.h"

namespace webrtcupload {
namespace {

// Relative to what was asked for: a proxy may have put the server below a path of its own, of which
// the server knows nothing (RFC 9110, 10.2.2).
std::string relative(const std::string& path) {
  const std::string_view last = std::string_view(path).substr(0, path.rfind('/'));
  return path.substr(last.rfind('/') + 1);
}

}  // namespace

std::variant<SessionRequest, HttpError> read_session_request(const HttpRequest& request,
                                                             const ApiKeys& keys) {
  if (request.bearer_token) {
    if (auto error = keys.check(request.bearer_token)) return std::move(*error);
  }
  SessionRequest session;
  session.whip = request.path == HttpServer::kUploadPath ||
                 (request.path != HttpServer::kWorkerPath && request.content_type == kSdpType);
  auto parsed = session.whip ? parse_whip_request(request) : parse_worker_request(request.body);
  if (auto* error = std::get_if<HttpError>(&parsed)) return std::move(*error);
  session.worker = std::move(std::get<WorkerRequest>(parsed));
  session.key = request.bearer_token ? request.bearer_token : session.worker.api_key;
  if (auto error = keys.check(session.key)) return std::move(*error);
  return session;
}

void reply_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                  const std::string& session, const std::vector<IceServer>& servers) {
  const std::string location = relative(HttpServer::kSessionsPath + session);
  if (whip) return reply_whip(responder, answer_sdp, location, servers);
  responder.reply_json(200, worker_reply(answer_sdp), {{"Location", location}});
}

void reply_further_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                          const std::string& session, const std::string& connection,
                          const std::vector<IceServer>& servers) {
  const std::string location = relative(connections_path(session) + "/" + connection);
  if (whip) return reply_whip(responder, answer_sdp, location, servers);
  responder.reply_json(201, worker_reply(answer_sdp), {{"Location", location}});
}

HttpError not_answered(const PeerError& why) {
  if (why.busy) {
    return {503,
            "NoPortFree",
            "The server cannot take another connection now: " + why.message + ".",
            {}};
  }
  return {400, "InvalidOffer", "The offer could not be answered: " + why.message, {}};
}

void reply_status(const HttpResponder& responder, const SessionStatus& status) {
  responder.reply_json(200, session_status_json(status), {{"Cache-Control", "no-store"}});
}

HttpError no_such_session() { return {404, "NotFound", "There is no such session.", {}}; }

HttpError no_such_connection() {
  return {404, "NotFound", "The session has no such connection.", {}};
}

HttpError too_many_sessions(std::size_t most) {
  const std::string what =
      most == 1 ? "The server takes one upload at a time."
                : "The server has as many sessions as it allows (" + std::to_string(most) + ").";
  return {429, HttpError::kTooManySessions, what + " Try again later.", {}};
}

HttpError too_many_connections(unsigned most) {
  return {429,
          HttpError::kTooManyConnections,
          "The session has as many connections as it may (" +
              std::to_string(most_connections(most)) + "). Try again later.",
          {}};
}

HttpError nothing_to_join() {
  return {409,
          "NothingToJoin",
          "No upload is under way in this session that a further connection can join.",
          {}};
}

HttpError not_your_session() {
  return {403, "Forbidden", "This key may not use this session.", {}};
}

HttpError not_in_time() {
  return {500, "InternalError", "The offer could not be answered in time.", {}};
}

HttpError withdrawn() { return {503, "Withdrawn", "The offer was withdrawn.", {}}; }

HttpError no_randomness() {
  return {500, "InternalError", "The system gives no random numbers.", {}};
}

HttpError server_stops() { return {503, "Stopped", "The server is being stopped.", {}}; }

}  // namespace webrtcupload
