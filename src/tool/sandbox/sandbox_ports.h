// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The TCP ports that ICE needs in a session's process.

#pragma once

#include "tool/common/session_types.h"
#include "tool/sandbox/sandbox_landlock.h"

namespace webrtcupload {

// To connect to: those of the TURN servers that are reached over TCP, and that of name servers
// where there are names to look up. To listen on: whichever the kernel picks, where ICE listens at
// all.
[[nodiscard]] LandlockPorts ports_of_ice(const SessionConfig& config);

}  // namespace webrtcupload
