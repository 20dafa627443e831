// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/whip.h"

#include <glib.h>

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "json/json.h"

namespace webrtcupload {
namespace {

HttpError bad(const std::string& message) { return {400, "BadRequest", message, {}}; }

std::optional<double> seconds(const char* text) {
  char* end = nullptr;
  const double value = g_ascii_strtod(text, &end);
  if (end == text || *end != '\0' || !std::isfinite(value) || value <= 0) return std::nullopt;
  return value;
}

// For a quoted-string (RFC 9110, 5.6.4).
std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// An empty string, or what is wrong.
std::string take(const std::string& name, const std::string& value,
                 const WorkerRequestLimits& limits, WorkerRequest& request) {
  if (name == "data_output" || name == "workflow_id") {
    if (value.empty() || value.size() > limits.max_name_bytes) {
      return name + " has to have 1 to " + std::to_string(limits.max_name_bytes) + " bytes";
    }
    if (name == "workflow_id") {
      request.workflow_id = value;
      return "";
    }
    auto& names = request.data_output;
    if (!names) names.emplace();
    if (names->size() == limits.max_outputs) {
      return "data_output is there more than " + std::to_string(limits.max_outputs) + " times";
    }
    names->push_back(value);
  } else if (name == "realtime") {
    if (value != "true" && value != "false") return "realtime has to be \"true\" or \"false\"";
    request.realtime = value == "true";
  } else if (name == "processing_timeout") {
    request.processing_timeout = seconds(value.c_str());
    if (!request.processing_timeout) return "processing_timeout has to be a number above 0";
  }
  return "";
}

}  // namespace

std::variant<WorkerRequest, HttpError> parse_whip_request(const HttpRequest& request,
                                                          const WorkerRequestLimits& limits) {
  if (request.content_type != kSdpType) {
    return HttpError{
        415, "UnsupportedMediaType", "The body has to be an offer, application/sdp.", {}};
  }
  if (request.body.empty()) return bad("The body has to be an offer, and is empty.");
  if (!g_utf8_validate(request.body.data(), static_cast<gssize>(request.body.size()), nullptr)) {
    return bad("The offer is not valid UTF-8.");
  }
  WorkerRequest worker;
  worker.offer_sdp = request.body;
  worker.realtime = false;
  worker.stream_output.emplace();
  GUriParamsIter iterator;
  g_uri_params_iter_init(&iterator, request.query.c_str(), -1, "&", G_URI_PARAMS_WWW_FORM);
  while (true) {
    char* name = nullptr;
    char* value = nullptr;
    GError* error = nullptr;
    const bool more = g_uri_params_iter_next(&iterator, &name, &value, &error);
    const GCharPtr owned_name(name);
    const GCharPtr owned_value(value);
    if (error) {
      g_error_free(error);
      return bad("The query is malformed.");
    }
    if (!more) break;
    if (const std::string problem = take(name, value, limits, worker); !problem.empty()) {
      return bad(problem + ".");
    }
  }
  if (!worker.data_output) worker.data_output = std::vector<std::string>{"*"};
  return worker;
}

HttpHeaders ice_links(const std::vector<IceServer>& servers) {
  std::string value;
  for (const IceServer& server : servers) {
    for (const std::string& url : server.urls) {
      value += (value.empty() ? "<" : ", <") + url + ">; rel=\"ice-server\"";
      if (!server.username.empty()) {
        value += "; username=\"" + quoted(server.username) + "\"; credential=\"" +
                 quoted(server.credential) + "\"; credential-type=\"password\"";
      }
    }
  }
  if (value.empty()) return {};
  return {{"Link", value}};
}

std::string limits_json(const LimitsForClients& limits) {
  JsonArray* protocols = json_array_new();
  for (const WireVersion version : {WireVersion::kV1, WireVersion::kV2}) {
    if (!speaks(limits.protocols, version)) continue;
    json_array_add_string_element(protocols, to_string(version));
  }
  JsonNodePtr list(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(list.get(), protocols);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.resume_timeout).count();
  return JsonWriter()
      .set("max_size", limits.max_size)
      .set("keys_required", limits.keys_required)
      .set_null("formats")
      .set("protocols", std::move(list))
      .set("max_connections", std::uint64_t{limits.max_connections})
      .set("resume_timeout", std::int64_t{seconds})
      .text();
}

void reply_whip(const HttpResponder& responder, const std::string& answer_sdp,
                const std::string& session, const std::vector<IceServer>& servers) {
  HttpHeaders headers = ice_links(servers);
  headers.emplace_back("Location", session);
  responder.reply(201, kSdpType, answer_sdp, headers);
}

}  // namespace webrtcupload
