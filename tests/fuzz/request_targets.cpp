// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes over HTTP: requests, origins, addresses of ICE servers, and the replies of an
// authorization hook.

#include <algorithm>
#include <string>
#include <variant>

#include "json/json_text.h"
#include "signalling/allowed_origins.h"
#include "signalling/request_framing.h"
#include "signalling/whip.h"
#include "signalling/worker_request.h"
#include "target.h"
#include "tool/serve/auth_hook.h"
#include "webrtc/ice_server.h"

namespace webrtcupload::fuzz {
namespace {

std::string check_error(const HttpError& error) {
  if (error.status < 400 || error.status > 599)
    return "an error with status " + std::to_string(error.status);
  if (!is_json_value(error.body())) return "the body of an error is not JSON: " + error.body();
  for (const auto& detail : error.detail) {
    if (std::string wrong = check_sentence(detail.message); !wrong.empty()) return wrong;
  }
  return error.detail.empty() ? check_sentence(error.message) : "";
}

// Every address is in the one form that we write.
std::string check_servers(const std::vector<IceServer>& servers) {
  for (const IceServer& server : servers) {
    for (const std::string& url : server.urls) {
      const auto again = parse_ice_url(url);
      const auto* same = std::get_if<std::string>(&again);
      if (!same || *same != url) return "the address " + url + " is not in its own form";
    }
  }
  return "";
}

std::string check_request(const WorkerRequest& request) {
  const WorkerRequestLimits limits;
  if (request.ice_servers.size() > limits.max_ice_servers)
    return "more ICE servers than there may be";
  for (const auto* names : {&request.stream_output, &request.data_output}) {
    if (!*names) continue;
    if ((*names)->size() > limits.max_outputs) return "more outputs than there may be";
    const bool fit = std::all_of((*names)->begin(), (*names)->end(), [&](const std::string& name) {
      return name.size() <= limits.max_name_bytes;
    });
    if (!fit) return "a longer name than there may be";
  }
  if (request.declared_fps && !(*request.declared_fps > 0))
    return "a frame rate that is not above 0";
  if (request.processing_timeout && !(*request.processing_timeout > 0))
    return "a time that is not above 0";
  if (const auto chosen = choose_outputs(request);
      const auto* error = std::get_if<HttpError>(&chosen)) {
    if (std::string wrong = check_error(*error); !wrong.empty()) return wrong;
  }
  return check_servers(request.ice_servers);
}

std::string check_outcome(const std::variant<WorkerRequest, HttpError>& outcome) {
  if (const auto* error = std::get_if<HttpError>(&outcome)) return check_error(*error);
  return check_request(std::get<WorkerRequest>(outcome));
}

}  // namespace

// A byte for the size of the pieces that it comes in, then what comes over a connection.
std::string check_http_input(ByteView input) {
  constexpr std::size_t kMaxBody = 100;
  if (input.empty()) return "";
  const std::size_t piece = std::size_t{input[0]} + 1;
  const std::string_view text = text_of(input.subspan(1));
  RequestFraming at_once(kMaxBody);
  const std::size_t taken = at_once.feed(text);
  RequestFraming in_pieces(kMaxBody);
  std::size_t taken_in_pieces = 0;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    taken_in_pieces += in_pieces.feed(text.substr(at, piece));
  }
  if (taken != taken_in_pieces || at_once.ended() != in_pieces.ended() ||
      at_once.error().has_value() != in_pieces.error().has_value()) {
    return "a request has another end in pieces of " + std::to_string(piece) + " bytes";
  }
  if (at_once.ended() && at_once.error()) return "a request that is whole and refused";
  if (!at_once.ended() && !at_once.error() && taken < text.size()) return "bytes are left out";
  if ((at_once.ended() || at_once.error()) && at_once.feed("x") != 0) return "it goes on";
  at_once.finish();
  return at_once.error() ? check_error(*at_once.error()) : "";
}

// The same bytes as a server's reply, too, which `send` reads.
std::string check_worker_request_input(ByteView input) {
  const std::string_view text = text_of(input);
  for (const unsigned status : {200U, 400U, 422U}) {
    const WorkerReply reply = parse_worker_reply(status, text);
    if (reply.answer_sdp.has_value() == !reply.problem.empty())
      return "neither an answer nor a problem, or both";
  }
  const auto outcome = parse_worker_request(text);
  if (std::string wrong = check_outcome(outcome); !wrong.empty()) return wrong;
  const auto* request = std::get_if<WorkerRequest>(&outcome);
  if (!request) return "";
  const auto again = parse_worker_request(write_worker_request(*request));
  const auto* same = std::get_if<WorkerRequest>(&again);
  if (!same || same->offer_sdp != request->offer_sdp || same->workflow_id != request->workflow_id) {
    return "what is written of a request is another request";
  }
  return "";
}

// A line for the query, one for the key, then the body.
std::string check_whip_input(ByteView input) {
  std::string_view text = text_of(input);
  HttpRequest request;
  request.method = "POST";
  request.path = HttpServer::kUploadPath;
  request.query = take_line(text);
  if (const std::string_view key = take_line(text); !key.empty()) request.bearer_token = key;
  request.content_type = "application/sdp";
  request.body = text;
  return check_outcome(parse_whip_request(request));
}

// A line for the origin, one for the host; then lines for a list.
std::string check_origin_input(ByteView input) {
  std::string_view text = text_of(input);
  const std::string_view origin = take_line(text);
  const std::string_view host = take_line(text);
  const std::string normal = normal_origin(origin);
  if (!normal.empty() && normal_origin(normal) != normal)
    return normal + " has another normal form";
  if (own_origin(origin, host) != OwnOrigin::kNo && normal.empty())
    return "an own origin that is none";

  AllowedOrigins allowed;
  bool added = false;
  while (!text.empty()) {
    const std::string problem = allowed.add(take_line(text));
    if (problem.empty()) {
      added = true;
    } else if (std::string wrong = check_sentence(problem); !wrong.empty()) {
      return wrong;
    }
  }
  if (!added && (allowed.all() || allowed.lists(origin))) return "a list of nothing that lets in";
  AllowedOrigins alone;
  if (alone.add(origin).empty() && !alone.all() && !alone.lists(origin))
    return "what was listed is not";
  return "";
}

std::string check_ice_server_input(ByteView input) {
  const std::string_view text = text_of(input);
  if (const auto url = parse_ice_url(text); const auto* error = std::get_if<IceUrlError>(&url)) {
    if (std::string wrong = check_sentence(error->message); !wrong.empty()) return wrong;
  } else if (const auto& checked = std::get<std::string>(url); !checked.empty()) {
    // An empty URL is one that is valid, and that libnice cannot use.
    if (std::string wrong = check_servers({IceServer{{checked}, {}, {}}}); !wrong.empty()) {
      return wrong;
    }
  }
  const auto server = parse_ice_server_uri(text);
  if (const auto* error = std::get_if<IceUrlError>(&server)) return check_sentence(error->message);
  return check_servers({std::get<IceServer>(server)});
}

// Two bytes for the status, then the body.
std::string check_hook_reply_input(ByteView input) {
  if (input.size() < 2) return "";
  HttpClient::Reply reply;
  reply.status = (input[0] * 256U + input[1]) % 600;
  reply.body = text_of(input.subspan(2));
  const HookVerdict verdict = read_hook_reply(reply);
  if (const auto* error = std::get_if<HttpError>(&verdict)) return check_error(*error);
  if (reply.status < 200 || reply.status > 299)
    return "a yes by status " + std::to_string(reply.status);
  const auto& limits = std::get<SessionLimits>(verdict);
  const bool above_0 = limits.max_size.value_or(1) > 0 && limits.min_rate.value_or(1) > 0 &&
                       limits.upload_timeout.value_or(std::chrono::milliseconds(1)).count() > 0 &&
                       limits.processing_timeout.value_or(std::chrono::milliseconds(1)).count() > 0;
  return above_0 ? "" : "a limit that is not above 0";
}

}  // namespace webrtcupload::fuzz
