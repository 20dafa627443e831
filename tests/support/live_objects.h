// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What GStreamer's leaks tracer still knows, listed so that other threads may be freeing it.

#pragma once

#include <string>
#include <vector>

namespace webrtcupload::test {

bool leaks_tracer_active();

// Must run once before live_objects(), while there are no other threads: GStreamer's list of hooks
// has no lock.
void prepare_live_objects();

// One line for each object. Empty if the tracer is off.
std::vector<std::string> live_objects();

}  // namespace webrtcupload::test
