// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The time of day as a program sees it, which a test moves. Link shifted_clock.cpp into that
// program, with its symbols exported: its functions then take the place of the C library's, also
// for the libraries that it uses.

#pragma once

#include <chrono>

namespace webrtcupload::test {

// By how much the time of day is wrong from now on. Monotonic clocks, by which timers run, are not
// concerned, as when somebody sets the clock of a machine.
void shift_time_of_day(std::chrono::seconds shift);

}  // namespace webrtcupload::test
