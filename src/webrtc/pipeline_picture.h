// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pictures of pipelines at the moment when something of ours fails.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// With GST_DEBUG_DUMP_DOT_DIR in the environment: the pipeline of `element` as NAME-failed.dot,
// and that of `webrtcbin`, which may be null, as NAME-failed-peer.dot if it is another one.
void draw_failure(GstElement* element, GstElement* webrtcbin);

}  // namespace webrtcupload
