// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcbin_eos.h"

#include "gst/find_webrtcbin.h"

namespace webrtcupload {

void post_eos_for_webrtcbin(GstElement* self, GstElement* webrtcbin) {
  if (!webrtcbin) return;
  if (outermost_parent(self) != outermost_parent(webrtcbin)) return;
  gst_element_post_message(webrtcbin, gst_message_new_eos(GST_OBJECT(webrtcbin)));
}

}  // namespace webrtcupload
