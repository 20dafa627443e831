// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A data channel belongs to one of our elements, of whatever kind, or to none.

#pragma once

#include <gst/webrtc/webrtc.h>

namespace webrtcupload {

// False when another object has claimed `channel`. Of two that try at once one gets it. `claimant`
// is only compared. On any thread, under any lock.
[[nodiscard]] bool claim_channel(GstWebRTCDataChannel* channel, const void* claimant);

// Does nothing when `claimant` has not claimed `channel`.
void release_channel(GstWebRTCDataChannel* channel, const void* claimant);

}  // namespace webrtcupload
