// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the streaming thread of a sending element waits at, over however many channels: the news of
// each of them ring it. Whoever waits looks at all of them each time.

#pragma once

#include <chrono>
#include <cstdint>

#include "core/mutex.h"

namespace webrtcupload {

class Bell {
 public:
  using Clock = std::chrono::steady_clock;

  void ring() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++rings_;
    rung_.notify_all();
  }
  // How often it has rung. Read before what it rings for is looked at, a wait misses nothing.
  [[nodiscard]] std::uint64_t rings() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return rings_;
  }
  // Until it has rung more often than `seen`, or is interrupted. False when that has not happened
  // by `until`.
  bool wait(std::uint64_t seen, Clock::time_point until) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return rung_.wait_until(mutex_, until,
                            [&]() REQUIRES(mutex_) { return rings_ != seen || interrupted_; });
  }

  // Likewise, whether it is interrupted or not: for the last words of an upload.
  bool wait_despite_all(std::uint64_t seen, Clock::time_point until) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return rung_.wait_until(mutex_, until, [&]() REQUIRES(mutex_) { return rings_ != seen; });
  }

  // Every wait() ends at once until calm(). Any thread.
  void interrupt() EXCLUDES(mutex_) { set_interrupted(true); }
  void calm() EXCLUDES(mutex_) { set_interrupted(false); }
  [[nodiscard]] bool is_interrupted() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return interrupted_;
  }

 private:
  void set_interrupted(bool interrupted) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    interrupted_ = interrupted;
    rung_.notify_all();
  }

  // A leaf.
  mutable Mutex mutex_;
  ConditionVariable rung_;
  std::uint64_t rings_ GUARDED_BY(mutex_) = 0;
  bool interrupted_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
