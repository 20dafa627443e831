// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A disk that works, and then stands still for a while.

#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

#include "upload/test_storage.h"

namespace webrtcupload::test {

// Of all spools made from now on.
class StoppableDisk {
 public:
  StoppableDisk() {
    intercept_storage([state = state_](const Access& access) -> std::optional<Error> {
      if (access.is_write && state->stands_still) state->blocker.block();
      return std::nullopt;
    });
  }

  // No upload waits for it longer than its test.
  ~StoppableDisk() { release(); }
  StoppableDisk(const StoppableDisk&) = delete;
  StoppableDisk& operator=(const StoppableDisk&) = delete;

  // From the next write on.
  void stop() { state_->stands_still = true; }
  void release() { state_->blocker.release(); }
  // Whether a write waits.
  [[nodiscard]] bool is_waited_for() const {
    return state_->blocker.wait_blocked(std::chrono::milliseconds(0));
  }

 private:
  struct State {
    std::atomic<bool> stands_still = false;
    Blocker blocker;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace webrtcupload::test
