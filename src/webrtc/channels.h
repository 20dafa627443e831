// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The end of data channels, which webrtcbin does not get right in every version.

#pragma once

#include <gst/webrtc/webrtc.h>

namespace webrtcupload {

// Keeps the data channels of `webrtcbin`, and the bins with which it sends and receives for them:
// those that there are, and those that will be. Of those that have closed, the last 256 or a few
// more; so a peer that opens and closes channels all day long costs no memory. In no version may
// they go as soon as they have closed. 1.22 lets go of a channel that closes, but not of the appsrc
// that sends for it; when what that was just sending meets a pad that has gone, it reports so to
// the channel, by a pointer that nothing keeps valid. 1.26 lets go of the bins as well, and then
// stops what sends for the channel. Either may end the program, and a peer can bring that about by
// closing its channel. The bins that 1.22 would leave are stopped and removed, on a thread of
// GStreamer's, before their channel goes.
//
// Once is enough, again does nothing. As early as possible: before the negotiation. Takes no lock
// of webrtcbin's but its object lock, and may be called on any thread.
void keep_channels(GstElement* webrtcbin);

// A channel that was made before. Takes no lock of webrtcbin's.
void keep_channel(GstElement* webrtcbin, GstWebRTCDataChannel* channel);

// What is queued is still sent. The one way to close a channel: of a channel that is closing
// already because the peer has closed it, gst_webrtc_data_channel_close() in 1.24 and later makes
// an end before the peer is told of our side's end, and the peer waits for that. Does nothing when
// the channel's webrtcbin is known to have gone. On any thread.
void close_channel(GstWebRTCDataChannel* channel);

}  // namespace webrtcupload
