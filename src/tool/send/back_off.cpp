// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/back_off.h"

#include <algorithm>
#include <cstdint>

namespace webrtcupload {

std::chrono::milliseconds BackOff::next(double random,
                                        std::optional<std::chrono::seconds> retry_after) {
  const auto longest = longest_;
  longest_ = std::min(longest_ * 2, kLongest);
  if (retry_after && retry_after->count() > 0) return *retry_after;
  const double share = 0.5 + std::clamp(random, 0.0, 1.0) / 2;
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(longest.count()) * share));
}

}  // namespace webrtcupload
