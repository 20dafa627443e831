// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/policy_gate.h"

#include <optional>
#include <utility>

#include "core/mutex.h"

namespace webrtcupload {

struct PolicyGate::State {
  Mutex mutex;  // A leaf.
  ConditionVariable changed;
  std::uint64_t asked GUARDED_BY(mutex) = 0;
  std::optional<PolicyAnswer> answer GUARDED_BY(mutex);  // To question number `asked`.
  std::optional<PolicyAnswer> denial GUARDED_BY(mutex);
  bool stopped GUARDED_BY(mutex) = false;
};

PolicyGate::PolicyGate(Ask ask) : ask_(std::move(ask)), state_(std::make_shared<State>()) {}

PolicyGate::~PolicyGate() { stop(); }

bool PolicyGate::allows(const PolicyQuestion& question) {
  std::uint64_t number;
  {
    const MutexLock lock(state_->mutex);
    if (state_->stopped) return true;
    number = ++state_->asked;
    state_->answer.reset();
  }
  ask_(question, [state = state_, number](PolicyAnswer answer) {
    {
      const MutexLock lock(state->mutex);
      if (number != state->asked) return;
      state->answer = std::move(answer);
    }
    state->changed.notify_all();
  });
  MutexLock lock(state_->mutex);
  state_->changed.wait(state_->mutex, [this]() REQUIRES(state_->mutex) {
    return state_->stopped || state_->answer;
  });
  if (!state_->answer || state_->answer->allowed) return true;
  state_->denial = state_->answer;
  return false;
}

std::optional<PolicyAnswer> PolicyGate::denial() const {
  const MutexLock lock(state_->mutex);
  return state_->denial;
}

void PolicyGate::stop() {
  {
    const MutexLock lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_all();
}

}  // namespace webrtcupload
