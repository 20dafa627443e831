// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operator's webhook, which is asked whether a client may do what it is about to do: one POST
// of JSON for each question. docs/operating.md describes both sides' JSON.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "signalling/http_error.h"
#include "tool/common/http_client.h"

namespace webrtcupload {

// What a hook may set for a session. Whoever applies it never goes above the server's own.
struct SessionLimits {
  std::optional<std::uint64_t> max_size;
  std::optional<std::uint64_t> min_rate;
  std::optional<std::chrono::milliseconds> upload_timeout;
  std::optional<std::chrono::milliseconds> processing_timeout;
};

using HookVerdict = std::variant<SessionLimits, HttpError>;

// 2xx allows, 401, 402, 403 and 429 deny in the hook's words. Everything else denies too, as 503,
// or 504 if there was no reply in time: a hook that does not work lets nobody in.
[[nodiscard]] HookVerdict read_hook_reply(const HttpClient::Reply& reply);

struct AuthHookOptions {
  std::string url;
  std::chrono::milliseconds timeout{5000};
  // Whether the client's own key is passed on, as "Authorization: Bearer ...".
  bool forward_key = false;
  // Replies that are waited for, until is_busy().
  std::size_t max_questions = 64;
};

// An empty string, or what is wrong with it.
[[nodiscard]] std::string check_hook_url(const std::string& url);

class AuthHook {
 public:
  // Given up when it is destroyed, and not sent if that had to wait.
  using Question = HttpClient::Call;

  explicit AuthHook(AuthHookOptions options);

  // `done` comes later on the context, unless this or the question is destroyed before.
  [[nodiscard]] Question ask(const std::string& question, const std::optional<std::string>& key,
                             std::function<void(HookVerdict)> done);
  // Whether the hook is so far behind that whoever can come back later should.
  [[nodiscard]] bool is_busy() const { return client_.waiting() >= options_.max_questions; }

 private:
  const AuthHookOptions options_;
  HttpClient client_;
};

}  // namespace webrtcupload
