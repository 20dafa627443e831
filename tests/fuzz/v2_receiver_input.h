// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fuzzer and its replay test run: one input is one life of a V2Receiver.
//
//   byte 0..3   max-chunk-size and max-size, window, connections, and which time-outs are on
//   byte 4      the size of the file that a well-behaved client has
//   then steps, each one byte that says what happens and a few that say how (see Step in the .cpp).
//   Bytes that are missing at the end count as 0.

#pragma once

#include <string>

#include "core/message.h"

namespace webrtcupload::fuzz {

// Plays the input against a V2Receiver and against the reference. Empty when they agree and no
// invariant is broken; otherwise what was wrong, and at which step.
[[nodiscard]] std::string check_v2_receiver_input(ByteView input);

}  // namespace webrtcupload::fuzz
