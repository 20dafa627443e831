// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which states of a connection say that the peer is gone. Nothing else decides that: whoever
// watches a connection asks here.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <optional>
#include <string>

namespace webrtcupload {

// A sentence for a person that says why the peer is gone; nothing while it is there.
[[nodiscard]] std::optional<std::string> why_gone(GstWebRTCPeerConnectionState state);
[[nodiscard]] std::optional<std::string> why_gone(GstWebRTCSCTPTransportState state);
[[nodiscard]] std::optional<std::string> why_gone(GstWebRTCDTLSTransportState state);
// CLOSING counts: no more data can be sent or will arrive then, and CLOSED may never follow when
// the transport died.
[[nodiscard]] std::optional<std::string> why_gone(GstWebRTCDataChannelState state);
// An error message that an element inside a webrtcbin has posted. The commonest is that of sctpenc
// when the other side has closed the connection.
[[nodiscard]] std::string why_gone_by_error(GstMessage* error);

}  // namespace webrtcupload
