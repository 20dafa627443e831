// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What happens in a session's process when a system call meets the filter (SIGSYS): the call is not
// made, and the process ends, unless the call is one of those that are only refused.

#pragma once

#include <string>

#include "tool/sandbox/sandbox_breach.h"

namespace webrtcupload {

// Before the filter is installed, on the only thread there is. `name` has to last.
void trap_system_call(int number, const char* name, Breach breach);

// `quiet_directory`: a file below it that is refused is none of importance, such as a cache.
void trap_quietly_below(const std::string& quiet_directory);

// Whether a trapped call can get a result here. Otherwise each one ends the process, so what is
// only looked at must not be trapped.
[[nodiscard]] bool trap_can_answer();
// Whether a file that was to be opened can be opened then: old kernels, and some containers, do not
// have the system call for it.
[[nodiscard]] bool trap_can_open();

// Empty, or what is wrong.
[[nodiscard]] std::string install_trap();

}  // namespace webrtcupload
