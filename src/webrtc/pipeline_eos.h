// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two things without which a pipeline does not post EOS although all of it has ended.

#pragma once

#include <gst/gst.h>
#include <gst/sdp/sdp.h>

namespace webrtcupload {

// A bin posts EOS when all its sinks have, webrtcbin counts as a sink, and in GStreamer 1.22 one
// that carries data channels never posts it. So an element of ours that has ended posts it for the
// webrtcbin; whether it does is the element's property "end-pipeline".
enum class EndPipeline {
  // Unless the webrtcbin carries media, which go on: it has pads, or the peer's description says
  // that the peer sends.
  kAuto,
  kNever,
  kAlways,
};
[[nodiscard]] GType end_pipeline_get_type();
inline constexpr char kEndPipelineProperty[] = "end-pipeline";

// Whether the peer that describes itself so sends audio or video.
[[nodiscard]] bool announces_media(const GstSDPMessage* sdp);

// Posts EOS for `webrtcbin` if it is in the same pipeline as `self`, which then ends as soon as its
// other sinks have, and if the property of `self` says so. Nothing in another pipeline: that one's
// end is not ours to say. Repeat it when the pipeline plays again, since a pause forgets it. Null
// is allowed.
//
// On any thread: what has to wait for the PC lock of `webrtcbin` is done on one of GStreamer's, a
// little later. An application's handler that holds that lock may be stopping `self`, and wait for
// this thread.
void post_eos_for_webrtcbin(GstElement* self, GstElement* webrtcbin);

// A bin posts EOS only once it has posted that it plays. It notes that after the message is out; so
// when an application sets PLAYING as soon as it hears of PAUSED (gst-launch-1.0 does), while the
// streaming thread that completed PAUSED is still inside that message, that thread's note comes
// last, and the bin never ends. A sink that takes part in prerolling is safe, since it completes
// PAUSED under a lock that PLAYING needs; one that does not (`async` is FALSE) is not.
//
// For such a sink, after it has posted its EOS: if the pipeline plays and has EOS messages that it
// has not acted upon, has it say once more that it plays (a state-changed message from PLAYING to
// PLAYING), and then it looks at them. On the streaming thread.
void remind_that_it_plays(GstElement* sink);

}  // namespace webrtcupload
