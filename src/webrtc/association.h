// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Gives each of our webrtcbins an SCTP association of its own. Associations have numbers which all
// of a program's webrtcbins share, and webrtcbin up to 1.26 draws them at random out of 65,535: the
// one that draws a number in use never gets a data channel, and says so only in GStreamer's log.
// From 1.28 on sctpdec takes a number that nobody has, and ignores one that is set by hand; sctpenc
// does not ignore it, and the two would then wait for different associations.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Whether this GStreamer's sctpdec takes an unused number by itself.
[[nodiscard]] bool draws_unused_associations();

// Before the negotiation. No two of the last 65,536 webrtcbins that were given to this have the
// same number; one that was not may still draw it. Does nothing where GStreamer looks for an unused
// number itself.
void give_own_association(GstElement* webrtcbin);

}  // namespace webrtcupload
