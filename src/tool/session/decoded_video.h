// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What happens to every decoded video before an operator's analysis sees it: it is turned the way
// people's players show it, and paced where the client asked for that.

#pragma once

#include <gst/gst.h>

#include <memory>

#include "tool/session/pacer.h"

namespace webrtcupload {

// Before the pipeline starts. Applies to the raw video that comes out of its decodebins; pipelines
// that decode in another way are left as they are. `pacer` may be null.
void prepare_decoded_video(GstElement* pipeline, std::shared_ptr<Pacer> pacer);

}  // namespace webrtcupload
