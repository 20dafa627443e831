// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The transports below a webrtcbin's data channels. Each is null until the negotiation has made it.
// They are read from webrtcbin's properties: not under the PC lock.

#pragma once

#include <gst/gst.h>

#include "glib/glib_ptr.h"

namespace webrtcupload {

[[nodiscard]] GObjectPtr<GObject> sctp_transport_of(GstElement* webrtcbin);
// The one that carries `upper`, which is an SCTP transport (carried by DTLS) or a DTLS transport
// (carried by ICE).
[[nodiscard]] GObjectPtr<GObject> transport_below(GObject* upper);
[[nodiscard]] GObjectPtr<GObject> dtls_transport_of(GstElement* webrtcbin);

}  // namespace webrtcupload
