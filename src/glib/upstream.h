// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where in a pipeline an element is, seen from another.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Whether what `element` sends out reaches `sink`, over whatever elements and bins, as they are
// linked now. An element inside a bin that does counts. `passes`, if given, says of an element in
// between whether what comes out of it is still what went in.
[[nodiscard]] bool feeds(GstElement* element, GstElement* sink,
                         bool (*passes)(GstElement*) = nullptr);

}  // namespace webrtcupload
