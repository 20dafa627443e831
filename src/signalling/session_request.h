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
// The answer to its offer.
void reply_answer(const HttpResponder& responder, bool whip, const std::string& answer_sdp,
                  const std::string& session, const std::vector<IceServer>& servers);

// The session that a GET or a DELETE is about.
[[nodiscard]] std::string session_id_of(const HttpRequest& request);
void reply_status(const HttpResponder& responder, const SessionStatus& status);
// It has ended, or there never was one, or it is none of the client's.
[[nodiscard]] HttpError no_such_session();
// There is no room for a further one, beside `most`.
[[nodiscard]] HttpError too_many_sessions(std::size_t most);
[[nodiscard]] HttpError no_randomness();
[[nodiscard]] HttpError server_stops();

}  // namespace webrtcupload
