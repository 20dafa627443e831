// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a data channel says of itself. Each takes the channel's own lock alone and calls nobody, so
// they may be called on any thread, under locks of one's own and under the PC lock.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <cstdint>
#include <string>

namespace webrtcupload {

[[nodiscard]] GstWebRTCDataChannelState ready_state(GstWebRTCDataChannel* channel);
// Bytes that SCTP has not taken yet.
[[nodiscard]] std::uint64_t buffered_amount(GstWebRTCDataChannel* channel);
// Empty for a channel without one.
[[nodiscard]] std::string label_of(GstWebRTCDataChannel* channel);
[[nodiscard]] std::string protocol_of(GstWebRTCDataChannel* channel);
// -1 before it is known.
[[nodiscard]] int id_of(GstWebRTCDataChannel* channel);

}  // namespace webrtcupload
