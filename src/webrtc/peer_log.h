// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lines of a peer's log. Each names its webrtcbin.

#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <string>

#include "webrtc/dtls_check.h"

namespace webrtcupload {

// What the property of that name stands at. Not under the PC lock.
void log_state(GstElement* webrtcbin, const char* property);
void log_dtls_state(GstElement* webrtcbin, GstWebRTCDTLSTransportState state);

// A channel that the peer has opened, its `count`th. Any thread.
void log_channel(GstElement* webrtcbin, const std::string& label, std::size_t count,
                 std::size_t most);

// A description that is handed out: how many candidates are in it, and nothing else of it.
void log_candidates(GstElement* webrtcbin, const std::string& sdp);

// What has come of comparing the peer's certificate. `data_came`: because something of what it has
// sent is about to be used.
void log_verdict(GstElement* webrtcbin, DtlsCheck::Verdict verdict, bool data_came);

}  // namespace webrtcupload
