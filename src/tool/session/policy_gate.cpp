// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/policy_gate.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace webrtcupload {

struct PolicyGate::State {
  std::mutex mutex;  // A leaf.
  std::condition_variable changed;
  std::uint64_t asked = 0;
  std::optional<PolicyAnswer> answer;  // To question number `asked`.
  std::optional<PolicyAnswer> denial;
  bool stopped = false;
};

PolicyGate::PolicyGate(Ask ask) : ask_(std::move(ask)), state_(std::make_shared<State>()) {}

PolicyGate::~PolicyGate() { stop(); }

bool PolicyGate::allows(const PolicyQuestion& question) {
  std::uint64_t number;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) return true;
    number = ++state_->asked;
    state_->answer.reset();
  }
  ask_(question, [state = state_, number](PolicyAnswer answer) {
    {
      const std::lock_guard lock(state->mutex);
      if (number != state->asked) return;
      state->answer = std::move(answer);
    }
    state->changed.notify_all();
  });
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->stopped || state_->answer; });
  if (!state_->answer || state_->answer->allowed) return true;
  state_->denial = state_->answer;
  return false;
}

std::optional<PolicyAnswer> PolicyGate::denial() const {
  const std::lock_guard lock(state_->mutex);
  return state_->denial;
}

void PolicyGate::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_all();
}

}  // namespace webrtcupload
