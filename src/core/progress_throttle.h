// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How often progress is told to the application: at most once per whole percent, and never more
// than ten times a second. Both elements post their messages through this.

#pragma once

#include <optional>

#include "core/time_point.h"

namespace webrtcupload {

class ProgressThrottle {
 public:
  static constexpr Duration kMinInterval = std::chrono::milliseconds(100);

  // Whether `percent` is to be told now; if so it counts as told. A percentage that was held back
  // is not owed: the next one that is due carries the news.
  [[nodiscard]] bool due(int percent, TimePoint now) {
    if (percent <= last_percent_ || (last_at_ && now - *last_at_ < kMinInterval)) return false;
    last_percent_ = percent;
    last_at_ = now;
    return true;
  }

 private:
  // 0 percent is what the start of an upload says.
  int last_percent_ = 0;
  std::optional<TimePoint> last_at_;
};

}  // namespace webrtcupload
