// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/shifted_clock.h"

#include <atomic>
#include <ctime>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace webrtcupload::test {
namespace {

// Constant initialisation: these functions run before any constructor of ours.
std::atomic<std::time_t> shift_of_time{0};

}  // namespace

void shift_time_of_day(std::chrono::seconds shift) { shift_of_time = shift.count(); }

}  // namespace webrtcupload::test

extern "C" {

[[gnu::visibility("default")]] int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += webrtcupload::test::shift_of_time;
  }
  return result;
}

[[gnu::visibility("default")]] int gettimeofday(timeval* __restrict now,
                                                void* __restrict) noexcept {
  timespec exact{};
  const int result = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return result;
}

[[gnu::visibility("default")]] std::time_t time(std::time_t* out) noexcept {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (out) *out = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
