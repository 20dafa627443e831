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

// Before 1.24, webrtcbin never frees a message that it is given for a channel that has just closed,
// and nobody who sends can know in time that it has.
bool webrtcbin_leaks_messages();

// One line for each object; messages that webrtcbin has leaked are left out. Empty if the tracer is
// off.
std::vector<std::string> live_objects();

}  // namespace webrtcupload::test
