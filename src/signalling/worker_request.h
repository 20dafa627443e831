// SPDX-License-Identifier: LGPL-2.1-or-later
//
// POST /initialise_webrtc_worker: what a client asks for, and the replies it understands.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signalling/http_error.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// How much of each thing a request may hold. Real clients stay far below.
struct WorkerRequestLimits {
  std::size_t max_outputs = 64;      // Names in each list.
  std::size_t max_name_bytes = 256;  // Of an output, a workflow, a workspace, an input.
  std::size_t max_key_bytes = 4096;  // Of the API key, and of TURN's username and credential.
  std::size_t max_ice_servers = 16;
  std::size_t max_ice_urls = 32;  // Of all servers together.
  double max_declared_fps = 100000;
};

struct WorkerRequest {
  std::string offer_sdp;
  // Names the operator's pipeline; anything unknown gets the default one.
  std::optional<std::string> workflow_id;
  std::optional<std::string> workspace_name;
  std::optional<std::string> api_key;
  // Like a live stream, dropping frames if need be, rather than every frame. A client that does
  // not say gets what the clients' own server gives it.
  bool realtime = true;
  // The names as the client wrote them; see choose_outputs(). Nothing if absent or null.
  std::optional<std::vector<std::string>> stream_output;
  std::optional<std::vector<std::string>> data_output;
  // Above 0. A client that says 0 does not know.
  std::optional<double> declared_fps;
  // Seconds, above 0.
  std::optional<double> processing_timeout;
  std::vector<IceServer> ice_servers;
};

// 400 if the body is not a JSON object, 422 with every wrong field listed if a known field has the
// wrong shape. Unknown fields are ignored; the offer's text is not looked into.
[[nodiscard]] std::variant<WorkerRequest, HttpError> parse_worker_request(
    std::string_view body, const WorkerRequestLimits& limits = {});

// What a session shall give its client.
struct ChosenOutputs {
  // Empty = only the metadata; "*" = all but images; otherwise names.
  std::vector<std::string> data;
  // The image that comes back as a video track, if the offer has room for it.
  std::optional<std::string> video;
};

// The names that outputs have if nobody says otherwise: the detections, and the frame itself.
inline constexpr std::string_view kPredictionsOutput = "predictions";
inline constexpr std::string_view kImageOutput = "image";

// Resolves the request's lists against the outputs there are: the frame's image, and what the
// pipeline found, whose name the operator may have chosen. A name that is neither is a 400 that
// lists them.
[[nodiscard]] std::variant<ChosenOutputs, HttpError> choose_outputs(
    const WorkerRequest& request, std::string_view findings = kPredictionsOutput);

// What becomes of the STUN and TURN servers that a client names. A server that used them would
// resolve names, open TCP connections and send packets wherever a stranger wants it to.
enum class ClientIceServers { kIgnore, kAllow, kRefuse };

// The servers for a session: the operator's own ones, and if allowed the client's behind them. With
// kRefuse a request that names any is a 400.
[[nodiscard]] std::variant<std::vector<IceServer>, HttpError> choose_ice_servers(
    const WorkerRequest& request, ClientIceServers clients, std::vector<IceServer> own);

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
