// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The end of a connection, said in time. webrtcbin 1.22 just stops: the other side then notices
// seconds later, or not for minutes.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Sends DTLS's close alert and waits, a moment at most, until it is on its way. Does nothing unless
// DTLS is connected. Not under the PC lock, and not on a main loop's thread.
void say_goodbye(GstElement* webrtcbin);

// Lets nothing more into webrtcbin's SCTP decoder, and waits until what is on its way through it
// has passed; a thread that is held back there is woken. Before webrtcbin is stopped: when 1.22's
// sctpdec is stopped while a stream's first data arrives, it runs a thread for a pad that is gone,
// which ends the program. A peer that goes on opening channels brings that about sooner or later.
// Not on a thread that brings packets.
void stop_receiving(GstElement* webrtcbin);

}  // namespace webrtcupload
