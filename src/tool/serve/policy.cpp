// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/policy.h"

#include <algorithm>
#include <utility>

#include "core/upload_limits.h"
#include "json/json.h"

namespace webrtcupload {
namespace {

void set_optional(JsonWriter& json, const char* name, const std::optional<std::string>& value) {
  if (value) {
    json.set(name, *value);
  } else {
    json.set_null(name);
  }
}

JsonWriter describe(const char* point, const SessionFacts& facts) {
  JsonWriter json;
  json.set("point", point)
      .set("session", facts.session)
      .set("client_address", facts.client_address);
  set_optional(json, "api_key_id", facts.key ? std::optional(key_id(*facts.key)) : std::nullopt);
  set_optional(json, "workflow_id", facts.workflow_id);
  set_optional(json, "workspace_name", facts.workspace_name);
  set_optional(json, "pipeline", facts.pipeline);
  json.set("realtime", facts.realtime);
  return json;
}

// A time of 0 is none.
void lower_time(const std::optional<std::chrono::milliseconds>& limit,
                std::chrono::milliseconds fallback,
                std::optional<std::chrono::milliseconds>& value) {
  if (!limit) return;
  const auto now = value.value_or(fallback);
  value = now.count() > 0 ? std::min(now, *limit) : *limit;
}

}  // namespace

Policy::Policy(ApiKeys keys, std::optional<std::string> key_file,
               std::optional<AuthHookOptions> hook)
    : keys_(std::move(keys)), key_file_(std::move(key_file)) {
  if (hook) hook_ = std::make_unique<AuthHook>(std::move(*hook));
}

std::optional<HttpError> Policy::check_hook() const {
  if (!hook_ || !hook_->is_busy()) return std::nullopt;
  return HttpError{503,
                   "AuthorizationBusy",
                   "Too many are waiting to hear what they may do. Try again later.",
                   {}};
}

AuthHook::Question Policy::ask_session(const SessionFacts& facts,
                                       std::function<void(HookVerdict)> reply) {
  return hook_->ask(describe("session", facts).text(), facts.key, std::move(reply));
}

AuthHook::Question Policy::ask_connection(const SessionFacts& facts,
                                          std::function<void(HookVerdict)> reply) {
  return hook_->ask(describe("connection", facts).text(), facts.key, std::move(reply));
}

AuthHook::Question Policy::ask_running(const SessionFacts& facts, const PolicyQuestion& question,
                                       std::function<void(PolicyAnswer)> reply) {
  JsonWriter json = describe(to_string(question.point), facts);
  json.set("bytes_announced", question.bytes_announced)
      .set("bytes_received", question.bytes_received);
  set_film(json, question.film);
  return hook_->ask(json.text(), facts.key, [reply = std::move(reply)](const HookVerdict& verdict) {
    const auto* error = std::get_if<HttpError>(&verdict);
    if (!error) return reply({});
    const bool over_quota = error->status == 402 || error->status == 429;
    reply({.allowed = false, .over_quota = over_quota, .message = error->message});
  });
}

std::string Policy::reload_keys() { return key_file_ ? keys_.read_file(*key_file_) : ""; }

void apply_limits(const SessionLimits& limits, SessionConfig& config) {
  if (limits.max_size) {
    config.max_size = std::min(config.max_size.value_or(Limits{}.max_size), *limits.max_size);
  }
  if (limits.min_rate) {
    config.min_rate = std::max(config.min_rate.value_or(Limits{}.min_rate), *limits.min_rate);
  }
  lower_time(limits.upload_timeout,
             std::chrono::duration_cast<std::chrono::milliseconds>(Limits{}.upload_timeout),
             config.upload_timeout);
  lower_time(limits.processing_timeout, std::chrono::milliseconds(0), config.processing_timeout);
}

}  // namespace webrtcupload
