// SPDX-License-Identifier: LGPL-2.1-or-later
//
// POST /upload: an offer as it is, answered as it is, in the manner of WHIP (RFC 9725). What else a
// client wants is in the query.

#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "signalling/http_server.h"
#include "signalling/worker_request.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// The query may hold `data_output`, more than once (absent: "*"), `realtime` ("true" or "false",
// which is also the default), `workflow_id`, and `processing_timeout` in seconds. Unknown names are
// ignored. There is no video track. 415 if the body is not application/sdp, 400 for other faults.
[[nodiscard]] std::variant<WorkerRequest, HttpError> parse_whip_request(
    const HttpRequest& request, const WorkerRequestLimits& limits = {});

// What is told to a page before its person chooses a file: the largest size in bytes that gets in
// with the usual chunks, and whether a key is needed. Which formats can be decoded is not known
// beforehand.
[[nodiscard]] std::string limits_json(std::uint64_t max_size, bool keys_required);

// 201 with the answer; `session` is the path of the session, which DELETE ends.
void reply_whip(const HttpResponder& responder, const std::string& answer_sdp,
                const std::string& session, const std::vector<IceServer>& servers = {});

// RFC 9725, 4.6: a Link header with all servers, or none if there are none.
[[nodiscard]] HttpHeaders ice_links(const std::vector<IceServer>& servers);

}  // namespace webrtcupload
