// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes a webrtcbin that has data queued for a peer which takes none let go of it. Without this, in
// GStreamer 1.22 such a webrtcbin cannot be stopped: its sctpenc waits in a chain function until
// SCTP accepts the data, going to READY does not wake it, and the state change waits for that
// function. It happens whenever a peer closes a data channel while more is being sent on it (the
// stream is then being reset, and usrsctp answers EAGAIN to every attempt), or stops reading.

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// Sends nothing more of what is queued on the data channel with this id but the message that SCTP
// has begun to take. Closing the channel then takes effect as soon as that message is gone.
void drop_outgoing(GstElement* webrtcbin, int channel_id);

// Gives up that message too, and removes the channel from webrtcbin's sending side, which goes on
// with others. Not under the PC lock; waits for nothing but the streaming thread of that channel,
// which it wakes. The peer may not be told: SCTP cannot reset a stream in the middle of a message.
void abandon_outgoing(GstElement* webrtcbin, int channel_id);

// Before a webrtcbin is stopped for good: nothing more leaves it, on any channel, and nothing in it
// waits for the peer any more. Two things make that necessary. 1.22's sctpenc is the one above.
// 1.28's dtlsenc takes a packet, finds that it cannot send it since it is being flushed or stopped,
// and tries again and again, for ever and with more memory each time; so no packet may be on its
// way through it then. A closing alert can no longer be sent after this. Not under the PC lock, and
// not on a thread that sends packets; waits for one packet to be encrypted.
void stop_sending(GstElement* webrtcbin);

}  // namespace webrtcupload
