// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Giving up at once on what will never come, because the program that it should come from has
// ended.

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>

namespace webrtcupload::test {

// What a test waits for while one of these lives is given up as soon as `lost` says so: a program
// that it needs has ended, and nothing will come of it. `lost` is called on any thread.
class LostCause {
 public:
  explicit LostCause(std::function<bool()> lost);
  ~LostCause();
  LostCause(const LostCause&) = delete;
  LostCause& operator=(const LostCause&) = delete;

 private:
  std::list<std::function<bool()>>::iterator place_;
};
[[nodiscard]] bool cause_is_lost();

// As `changed.wait_for()`, but gives up when the cause is lost, which nothing notifies.
template <typename Condition>
bool wait_unless_lost(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                      std::chrono::milliseconds deadline, Condition condition) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= until || cause_is_lost()) return condition();
    changed.wait_until(lock, std::min(until, now + std::chrono::milliseconds(200)));
  }
  return true;
}

}  // namespace webrtcupload::test
