// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/wait.h"

#include <thread>

#include "support/lost_cause.h"

namespace webrtcupload::test {

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until || cause_is_lost()) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace webrtcupload::test
