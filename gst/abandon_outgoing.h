// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes a webrtcbin that has data queued for a peer which takes none let go of it. Without this, in
// GStreamer 1.22 such a webrtcbin cannot be stopped: its sctpenc waits in a chain function until
// SCTP accepts the data, going to READY does not wake it, and the state change waits for that
// function. It happens whenever a peer closes a data channel while more is being sent on it (the
// stream is then being reset, and usrsctp answers EAGAIN to every attempt), or stops reading.

#pragma once

#include <gst/gst.h>

#include <optional>

namespace webrtcupload {

// Sends nothing more of what is queued on the data channel with this id but the message that SCTP
// has begun to take. Closing the channel then takes effect as soon as that message is gone.
void drop_outgoing(GstElement* webrtcbin, int channel_id);

// Gives up that message too, on one channel or on all of them, and removes the channel from
// webrtcbin's sending side. Do it before a webrtcbin with unfinished sending goes to READY. Not
// under the PC lock; waits for nothing but the streaming threads of those channels, which it wakes.
// The peer may not be told: SCTP cannot reset a stream in the middle of a message.
void abandon_outgoing(GstElement* webrtcbin, std::optional<int> channel_id = std::nullopt);

// Likewise on one channel or on all, for a webrtcbin that is about to be stopped for good: the
// channel stays where it is, and takes nothing any more. Unlike the above it cannot meet a message
// half way to a pad that has gone, of which 1.22 leaks the error.
void flush_outgoing(GstElement* webrtcbin, std::optional<int> channel_id = std::nullopt);

}  // namespace webrtcupload
