// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What tests and benchmarks of many results or many sessions share: an analysis that costs nothing,
// films to send, and what a server takes of the machine.

#pragma once

#include <cstddef>
#include <string>
#include <sys/types.h>

namespace webrtcupload::test {

// Finds the box in each frame, and does nothing else.
inline constexpr const char* kTrivialAnalyser =
    "decodebin ! videoconvert ! testboxdetector ! fakesink sync=false";

// The bytes of a film that tests/support/make_numbered_video.cpp draws.
[[nodiscard]] std::string draw_film(int frames, int kilobits = 0);

// Of one process.
struct Usage {
  std::size_t resident = 0;  // Bytes.
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  std::size_t children = 0;
};
[[nodiscard]] Usage usage_of(pid_t pid);
// Once it has no children, and no more descriptors and threads than that; or what it has at the
// deadline.
[[nodiscard]] Usage settled_usage_of(pid_t pid, const Usage& at_most);

}  // namespace webrtcupload::test
