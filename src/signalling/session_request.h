// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests for sessions and about sessions, and the replies to them: the same for every server that
// answers offers.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signalling/api_keys.h"
#include "signalling/http_server.h"
#include "signalling/session_status.h"
#include "signalling/worker_request.h"
#include "webrtc/ice_server.h"
#include "webrtc/peer.h"

namespace webrtcupload {

struct SessionRequest {
  WorkerRequest worker;
  // The header's, or else the body's.
  std::optional<std::string> key;
  bool whip = false;  // To be answered in WHIP's way.
};

// What a POST asks for, if `keys` let it. A key in the header is looked at before the body is.
[[nodiscard]] std::variant<SessionRequest, HttpError> read_session_request(
    const HttpRequest& request, const ApiKeys& keys);
// The answer to the offer that has made this session.
void reply_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                  const std::string& session, const std::vector<IceServer>& servers);
// The answer to a further offer of it, whose connection has this name.
void reply_further_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                          const std::string& session, const std::string& connection,
                          const std::vector<IceServer>& servers);
// Why an offer has no answer.
[[nodiscard]] HttpError not_answered(const PeerError& why);

void reply_status(const HttpResponder& responder, const SessionStatus& status);
// It has ended, or there never was one, or it is none of the client's.
[[nodiscard]] HttpError no_such_session();
[[nodiscard]] HttpError no_such_connection();
// There is no room for a further one, beside `most`.
[[nodiscard]] HttpError too_many_sessions(std::size_t most);
// Connections that one session may have: its upload may have `most` channels, and there is room for
// one more connection, so that a client whose connection has died unnoticed can come back.
[[nodiscard]] constexpr std::size_t most_connections(unsigned most) {
  return std::size_t{most} + 1;
}
[[nodiscard]] HttpError too_many_connections(unsigned most);
// It is none that further connections may join: not in wire format v2, not begun, or complete.
[[nodiscard]] HttpError nothing_to_join();
// It is another key's. Nothing is told of it.
[[nodiscard]] HttpError not_your_session();
// Nothing has come of it.
[[nodiscard]] HttpError not_in_time();
// By its client, before it was answered.
[[nodiscard]] HttpError withdrawn();
[[nodiscard]] HttpError no_randomness();
[[nodiscard]] HttpError server_stops();

}  // namespace webrtcupload
