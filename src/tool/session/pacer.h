// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes an upload that was decoded as fast as can be look like a live stream: each frame at its
// time, and none that is late.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "core/mutex.h"

namespace webrtcupload {

class Pacer {
 public:
  // Later than this, a frame is left out.
  static constexpr std::chrono::milliseconds kMaxLateness{100};
  // Where everything is late because decoding is, one frame is let through this often.
  static constexpr std::chrono::milliseconds kMaxGap{1000};

  using Clock = std::chrono::steady_clock;

  explicit Pacer(std::function<Clock::time_point()> now = Clock::now) : now_(std::move(now)) {}

  // On the decoder's streaming thread: waits until the frame is due; false if it is to be dropped.
  // The first frame sets the clock. Frames without a timestamp (GST_CLOCK_TIME_NONE) pass.
  [[nodiscard]] bool admit(GstClockTime pts);
  // Whether a frame waits for its time. Any thread.
  [[nodiscard]] bool is_waiting() const { return waiting_; }
  // Nobody waits any more; what still comes is dropped. Any thread.
  void stop();

 private:
  const std::function<Clock::time_point()> now_;
  std::optional<Clock::time_point> start_;  // When `first_` was admitted.
  GstClockTime first_ = 0;
  Clock::time_point last_admitted_;

  std::atomic<bool> waiting_ = false;
  Mutex mutex_;  // A leaf.
  ConditionVariable changed_;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
