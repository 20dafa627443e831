// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this project does because of faults in some version of webrtcbin and its parts, and whether
// it does so with the GStreamer that it runs on. docs/threading.md has a table of them.

#pragma once

#include <gst/gst.h>

#include <string>
#include <vector>

namespace webrtcupload {

// Whether the elements of that factory have the property. False when there is no such factory.
[[nodiscard]] bool element_has_property(const char* factory, const char* property);

// The names of those in use, in the order of that table. What decides is what is found at run time.
[[nodiscard]] const std::vector<std::string>& workarounds_in_use();

// The same in one line, with ", " between.
[[nodiscard]] const std::string& workarounds_text();

// Puts that line into an element's `stats`, as the string "workarounds".
void tell_workarounds(GstStructure* stats);

}  // namespace webrtcupload
