// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Deadlines, and waiting for what nothing notifies.

#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace webrtcupload::test {

// How much longer programs take under a sanitizer, as `./dev` tells Meson.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSlowness = 4;
#else
inline constexpr int kSlowness = 1;
#endif

// How long anything may take before a test gives up on it. Generous, since a test that passes never
// waits for it: busy machines are slow.
inline constexpr std::chrono::seconds kDeadline{60 * kSlowness};

// Sets the property `name`, a time-out in nanoseconds that the test waits for. What is to happen
// before it takes longer under a sanitizer.
inline std::string short_timeout(const char* name, std::chrono::milliseconds time) {
  return std::string(name) + "=" +
         std::to_string(std::chrono::nanoseconds(time * kSlowness).count());
}

// For what nothing notifies (descriptors of another thread's sockets, objects that another thread
// still lets go of, processes): looks until `condition` holds, the deadline has passed or the cause
// is lost (lost_cause.h). What can be waited for properly is waited for properly.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds deadline = kDeadline);

}  // namespace webrtcupload::test
