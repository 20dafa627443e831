// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/pacer.h"

namespace webrtcupload {

bool Pacer::admit(GstClockTime pts) {
  MutexLock lock(mutex_);
  if (stopped_) return false;
  if (!GST_CLOCK_TIME_IS_VALID(pts)) return true;
  const Clock::time_point now = now_();
  if (!start_ || pts < first_) {
    start_ = last_admitted_ = now;
    first_ = pts;
    return true;
  }
  const auto due = *start_ + std::chrono::nanoseconds(pts - first_);
  if (now > due + kMaxLateness && now < last_admitted_ + kMaxGap) return false;
  waiting_ = now < due;
  if (now < due) changed_.wait_until(mutex_, due, [this]() REQUIRES(mutex_) { return stopped_; });
  waiting_ = false;
  last_admitted_ = now_();
  return !stopped_;
}

void Pacer::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

}  // namespace webrtcupload
