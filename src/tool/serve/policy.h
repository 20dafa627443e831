// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may do what, in one place: keys, and the operator's hook if there is one. Asked before a
// session is made, before the first byte of its upload is stored, and while it runs.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "signalling/api_keys.h"
#include "signalling/http_error.h"
#include "tool/common/session_types.h"
#include "tool/serve/auth_hook.h"

namespace webrtcupload {

// Whom a session is for, and what it is to do.
struct SessionFacts {
  std::string session;
  std::string client_address;
  std::optional<std::string> key;  // Stays here, unless the hook is to get it.
  std::optional<std::string> workflow_id;
  std::optional<std::string> workspace_name;
  // The operator's name for the pipeline; nothing for the default one.
  std::optional<std::string> pipeline;
  bool realtime = false;
};

// Lives on one context's thread. Replies come later on that context, and not after its end or the
// question's.
class Policy {
 public:
  Policy(ApiKeys keys, std::optional<std::string> key_file, std::optional<AuthHookOptions> hook);

  // Without keys of its own the server leaves them to the hook, if there is one.
  [[nodiscard]] const ApiKeys& keys() const { return keys_; }
  [[nodiscard]] bool wants_keys() const { return !keys_.empty(); }
  // Whether anything stands between a stranger and the server.
  [[nodiscard]] bool protects() const { return !keys_.empty() || hook_; }
  // Whether sessions have to ask.
  [[nodiscard]] bool asks_sessions() const { return hook_ != nullptr; }

  // A 503 while the hook has more questions than it answers. Sessions that are there may ask even
  // then: it is strangers at the door who have to wait.
  [[nodiscard]] std::optional<HttpError> check_hook() const;
  // The hook's part of "may this session be", for whoever has passed keys().check().
  [[nodiscard]] AuthHook::Question ask_session(const SessionFacts& facts,
                                               std::function<void(HookVerdict)> reply);
  // The same for a further connection of a session that is there.
  [[nodiscard]] AuthHook::Question ask_connection(const SessionFacts& facts,
                                                  std::function<void(HookVerdict)> reply);
  [[nodiscard]] AuthHook::Question ask_running(const SessionFacts& facts,
                                               const PolicyQuestion& question,
                                               std::function<void(PolicyAnswer)> reply);

  // Reads the key file again. Empty, or what is wrong with it: then the keys stay as they are.
  [[nodiscard]] std::string reload_keys();

 private:
  ApiKeys keys_;
  const std::optional<std::string> key_file_;
  std::unique_ptr<AuthHook> hook_;
};

// Lowers what `config` allows to `limits`.
void apply_limits(const SessionLimits& limits, SessionConfig& config);

}  // namespace webrtcupload
