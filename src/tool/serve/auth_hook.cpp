// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/auth_hook.h"

#include <glib.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "json/json.h"
#include "json/printable.h"
#include "tool/common/session_types.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kMaxReply = 64 * 1024;
constexpr std::size_t kMaxMessage = 1000;
// Simple servers let only a handful of connections wait to be accepted.
constexpr int kMaxConnections = 8;

HttpError unavailable(const std::string& why) {
  g_warning("the authorization hook %s", why.c_str());
  // The reason is the operator's, not the client's.
  return {503, "AuthorizationUnavailable", "The server cannot check what you may do just now.", {}};
}

// Of the hook's own words only as much as fits a reply.
std::string shortened(std::string text) {
  if (text.size() <= kMaxMessage) return text;
  std::size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

HttpError denied(const HttpClient::Reply& reply) {
  HttpError error{reply.status, "", "", {}};
  switch (reply.status) {
    case 401:
      error.error_type = "Unauthorized";
      error.message = "The key is not accepted.";
      break;
    case 402:
      error.error_type = "PaymentRequired";
      error.message = "There are no credits left.";
      break;
    case 403:
      error.error_type = "Forbidden";
      error.message = "This is not allowed.";
      break;
    default:
      error.error_type = "QuotaExceeded";
      error.message = "The quota is used up.";
      break;
  }
  const auto parsed = parse_json_object(reply.body);
  if (const auto* node = std::get_if<JsonNodePtr>(&parsed)) {
    const auto message = json_string(json_node_get_object(node->get()), "message");
    if (message && !message->empty()) error.message = printable(shortened(*message));
  }
  return error;
}

// A member that is a number above 0, or missing or null.
bool read_positive(JsonObject* object, const char* name, std::optional<double>& value) {
  JsonNode* node = json_member(object, name);
  if (!node || JSON_NODE_HOLDS_NULL(node)) return true;
  value = json_number(object, name);
  return value && std::isfinite(*value) && *value > 0;
}

bool read_time(JsonObject* object, const char* name,
               std::optional<std::chrono::milliseconds>& time) {
  std::optional<double> seconds;
  if (!read_positive(object, name, seconds)) return false;
  if (seconds) {
    // Never down to 0, which would mean "no limit".
    const double most = static_cast<double>(kLongestTime.count());
    const double milliseconds = std::min(std::ceil(*seconds * 1000), most);
    time = std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
  }
  return true;
}

}  // namespace

HookVerdict read_hook_reply(const HttpClient::Reply& reply) {
  switch (reply.failure) {
    case HttpClient::Reply::Failure::kNone:
      break;
    case HttpClient::Reply::Failure::kTimeout: {
      HttpError error = unavailable("did not reply in time");
      error.status = 504;
      return error;
    }
    default:
      return unavailable("does not work: " + reply.problem);
  }
  if (reply.status == 401 || reply.status == 402 || reply.status == 403 || reply.status == 429) {
    return denied(reply);
  }
  if (reply.status < 200 || reply.status > 299) {
    return unavailable("replied with HTTP status " + std::to_string(reply.status));
  }
  SessionLimits limits;
  if (reply.body.find_first_not_of(" \t\r\n") == std::string::npos) return limits;
  const auto parsed = parse_json_object(reply.body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return unavailable("replied with something that " + error->message);
  }
  JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  std::optional<double> size;
  if (!read_positive(object, "max_size", size) || (size && *size < 1)) {
    return unavailable("replied with a max_size that is not a number of bytes above 0");
  }
  // What does not fit is no limit.
  if (size && *size < 9e18) limits.max_size = static_cast<std::uint64_t>(*size);
  std::optional<double> rate;
  if (!read_positive(object, "min_rate", rate)) {
    return unavailable("replied with a min_rate that is not a number of bytes above 0");
  }
  // Never down to 0, which would mean "any".
  if (rate) limits.min_rate = static_cast<std::uint64_t>(std::ceil(std::min(*rate, 9e18)));
  for (const auto& [name, time] : {std::pair{"upload_timeout", &limits.upload_timeout},
                                   std::pair{"processing_timeout", &limits.processing_timeout}}) {
    if (!read_time(object, name, *time)) {
      return unavailable("replied with a time that is not a number of seconds above 0");
    }
  }
  return limits;
}

std::string check_hook_url(const std::string& url) {
  if (is_http_url(url)) return "";
  return "\"" + url + "\" is not an address like https://example.org/may";
}

AuthHook::AuthHook(AuthHookOptions options)
    : options_(std::move(options)),
      client_(HttpClientOptions{.timeout = options_.timeout,
                                .max_reply = kMaxReply,
                                .follow_redirects = false,
                                .max_connections = kMaxConnections}) {}

AuthHook::Question AuthHook::ask(const std::string& question, const std::optional<std::string>& key,
                                 std::function<void(HookVerdict)> done) {
  return client_.post_json(
      options_.url, options_.forward_key ? key : std::nullopt, question,
      [done = std::move(done)](const HttpClient::Reply& reply) { done(read_hook_reply(reply)); });
}

}  // namespace webrtcupload
