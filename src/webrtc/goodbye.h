// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The end of a connection, said in time. webrtcbin, in every version so far, just stops: the other
// side then notices seconds later, or not for minutes.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Sends DTLS's close alert and waits, a moment at most, until it is on its way. Does nothing unless
// DTLS is connected. Not under the PC lock, and not on a main loop's thread.
void say_goodbye(GstElement* webrtcbin);

}  // namespace webrtcupload
