// SPDX-License-Identifier: LGPL-2.1-or-later
//
// POST /initialise_webrtc_worker: what a client asks for, and the replies it understands.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "signalling/http_error.h"

namespace webrtcupload {

struct WorkerRequest {
  std::string offer_sdp;
  // Names the operator's pipeline; anything unknown gets the default one.
  std::optional<std::string> workflow_id;
  // Seconds, above 0.
  std::optional<double> processing_timeout;
  std::optional<std::string> api_key;
};

// 400 if the body is not a JSON object, 422 with every wrong field listed if a known field has the
// wrong shape. Unknown fields are ignored; the offer's text is not looked into.
[[nodiscard]] std::variant<WorkerRequest, HttpError> parse_worker_request(std::string_view body);

// The body of a 200.
[[nodiscard]] std::string worker_reply(std::string_view answer_sdp);

// The body that a client posts.
[[nodiscard]] std::string write_worker_request(const WorkerRequest& request);

// What the server said, as a client reads it: the answer's SDP, or a sentence why there is none.
struct WorkerReply {
  std::optional<std::string> answer_sdp;
  std::string problem;
};
[[nodiscard]] WorkerReply parse_worker_reply(unsigned status, std::string_view body);

}  // namespace webrtcupload
