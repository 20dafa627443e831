// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lets a pipeline with a webrtcbin in it end. A bin posts EOS when all its sinks have, webrtcbin
// counts as a sink, and in GStreamer 1.22 one that carries data channels never posts it.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Posts EOS for `webrtcbin` if it is in the same pipeline as `self`, which then ends as soon as its
// other sinks have. Nothing in another pipeline: that one's end is not ours to say. Repeat it when
// the pipeline plays again, since a pause forgets it. Null is allowed.
void post_eos_for_webrtcbin(GstElement* self, GstElement* webrtcbin);

}  // namespace webrtcupload
