// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a webrtcbin needs before it is stopped. Plain gst_element_set_state() may end the program:
// while the state of its elements changes, its other threads still use what those let go of.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Lets nothing more into webrtcbin's SCTP decoder, and waits until what is on its way through it
// has passed; a thread that is held back there is woken. When 1.22's sctpdec is stopped while a
// stream's first data arrives, it runs a thread for a pad that is gone, which ends the program. A
// peer that goes on opening channels brings that about sooner or later.
// Not on a thread that brings packets.
void stop_receiving(GstElement* webrtcbin);

// What comes for the data channels is lost from now on. Waits for nothing, and takes no lock of
// webrtcbin's but its object lock.
void drop_incoming(GstElement* webrtcbin);

// webrtcbin's own thread replies to `promise` in its turn; one that is stopped replies at once, on
// the caller's. Whoever is told by the promise may be under the PC lock. From 1.24 on webrtcbin is
// told that there are no more candidates for a media section that does not exist, which it keeps
// in a list and never uses. Before, it is asked for statistics: 1.28.8 forgets to release an RTP
// session each time that it makes some.
void ask_in_turn(GstElement* webrtcbin, GstPromise* promise);

// Waits until webrtcbin's own thread has done what it was told to do before, such as the end of a
// channel that has closed: it releases a pad of sctpenc's, which a stop would release as well, and
// GStreamer takes the second time for a mistake of the program (a critical warning). Waits for some
// seconds at most, since handlers of the application's run on that thread. Not on that thread, and
// not under the PC lock.
void finish_tasks(GstElement* webrtcbin);

// Does stop_receiving(), stop_sending() and finish_tasks() to `element`, a webrtcbin, or to every
// webrtcbin in it, at any depth. Before a webrtcbin is stopped for good whose peer may be there
// still. False if there is none. Not under the PC lock, and not on a thread of webrtcbin's.
bool prepare_stop(GstElement* element);

}  // namespace webrtcupload
