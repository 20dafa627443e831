// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sending over a data channel, which webrtcbin does not get right in every version.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace webrtcupload {

// The one way to send a message. False, with the reason in `problem` if there is one, when the
// channel does not take it. 1.22 never frees what it is given for a channel that is not open, so
// such a channel is given nothing. Nor is one whose webrtcbin is known to have gone
// (channel_owner.h); otherwise that is held meanwhile. On any thread, and under the PC lock.
[[nodiscard]] bool send_on(GstWebRTCDataChannel* channel, std::vector<std::uint8_t> message,
                           std::string* problem = nullptr);
// Without a copy of a message that the caller keeps.
using SharedMessage = std::shared_ptr<const std::vector<std::uint8_t>>;
[[nodiscard]] bool send_on(GstWebRTCDataChannel* channel, const SharedMessage& message,
                           std::string* problem = nullptr);
[[nodiscard]] bool send_text_on(GstWebRTCDataChannel* channel, const std::string& text,
                                std::string* problem = nullptr);

}  // namespace webrtcupload
