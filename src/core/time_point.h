// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Time as the core sees it: handed in by the caller, never asked for.

#pragma once

#include <chrono>

namespace webrtcupload {

using Duration = std::chrono::nanoseconds;
// Since an arbitrary moment, on a clock that never goes back (g_get_monotonic_time() for instance).
using TimePoint = std::chrono::nanoseconds;

}  // namespace webrtcupload
