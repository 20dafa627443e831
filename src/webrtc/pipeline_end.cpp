// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/pipeline_end.h"

#include "webrtc/find_webrtcbin.h"

namespace webrtcupload {

void post_eos_for_webrtcbin(GstElement* self, GstElement* webrtcbin) {
  if (!webrtcbin) return;
  if (outermost_parent(self) != outermost_parent(webrtcbin)) return;
  gst_element_post_message(webrtcbin, gst_message_new_eos(GST_OBJECT(webrtcbin)));
}

void remind_that_it_plays(GstElement* sink) {
  const GstPtr<GstObject> top = outermost_parent(sink);
  if (!GST_IS_BIN(top.get())) return;
  GST_OBJECT_LOCK(top.get());
  const bool plays = GST_STATE(top.get()) == GST_STATE_PLAYING &&
                     GST_STATE_PENDING(top.get()) == GST_STATE_VOID_PENDING;
  bool waits = false;
  for (GList* item = GST_BIN(top.get())->messages; item; item = item->next) {
    waits = waits || GST_MESSAGE_TYPE(item->data) == GST_MESSAGE_EOS;
  }
  GST_OBJECT_UNLOCK(top.get());
  // Otherwise it has ended, or whoever sets its state has that message still to post.
  if (!plays || !waits) return;
  gst_element_post_message(GST_ELEMENT(top.get()), gst_message_new_state_changed(
                                                       top.get(), GST_STATE_PLAYING,
                                                       GST_STATE_PLAYING, GST_STATE_VOID_PENDING));
}

}  // namespace webrtcupload
