// SPDX-License-Identifier: LGPL-2.1-or-later
//
// POST /upload: an offer as it is, answered as it is, in the manner of WHIP (RFC 9725). What else a
// client wants is in the query.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "signalling/http_server.h"
#include "signalling/worker_request.h"
#include "upload/upload_protocol.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// What such an offer, and its answer, say that they are.
inline constexpr const char* kSdpType = "application/sdp";

// The query may hold `data_output`, more than once (absent: "*"), `realtime` ("true" or "false",
// which is also the default), `workflow_id`, and `processing_timeout` in seconds. Unknown names are
// ignored. There is no video track. 415 if the body is not application/sdp, 400 for other faults.
[[nodiscard]] std::variant<WorkerRequest, HttpError> parse_whip_request(
    const HttpRequest& request, const WorkerRequestLimits& limits = {});

// What a client is told before it offers anything.
struct LimitsForClients {
  // The largest size in bytes that gets in with the usual chunks.
  std::uint64_t max_size = 0;
  bool keys_required = false;
  // Of wire formats, see speaks().
  unsigned protocols = kAllVersions;
  // Of an upload in v2.
  unsigned max_connections = 0;
  std::chrono::nanoseconds resume_timeout{};
};
// Which formats can be decoded is not known beforehand. The time is in whole seconds, no fewer than
// there are.
[[nodiscard]] std::string limits_json(const LimitsForClients& limits);

// 201 with the answer; `session` is the path of the session, which DELETE ends.
void reply_whip(const HttpResponder& responder, const std::string& answer_sdp,
                const std::string& session, const std::vector<IceServer>& servers = {});

// RFC 9725, 4.6: a Link header with all servers, or none if there are none.
[[nodiscard]] HttpHeaders ice_links(const std::vector<IceServer>& servers);

}  // namespace webrtcupload
