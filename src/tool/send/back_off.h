// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How long to wait between tries: at first a little, then longer and longer, and never as long as
// others who have failed at the same moment.

#pragma once

#include <chrono>
#include <optional>

namespace webrtcupload {

class BackOff {
 public:
  // As upload.js does it.
  static constexpr std::chrono::milliseconds kFirst{500};
  static constexpr std::chrono::milliseconds kLongest{8000};

  // Before the next try. `random` is 0 to 1; `retry_after` is what the server has asked for.
  [[nodiscard]] std::chrono::milliseconds next(
      double random, std::optional<std::chrono::seconds> retry_after = std::nullopt);
  // Something worked.
  void reset() { longest_ = kFirst; }

 private:
  std::chrono::milliseconds longest_ = kFirst;
};

}  // namespace webrtcupload
