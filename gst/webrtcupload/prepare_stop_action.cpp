// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/prepare_stop_action.h"

#include <gst/gst.h>

#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "webrtc/prepare_stop.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

gboolean prepare(GstElement* self, GstElement* element) {
  const GstPtr<GstElement> held = element ? ref_gst(element) : nullptr;
  if (!held || !prepare_stop(held.get())) {
    GST_WARNING_OBJECT(self,
                       "prepare-stop is for a webrtcbin or a bin around one, and %" GST_PTR_FORMAT
                       " is neither",
                       static_cast<void*>(element));
    return FALSE;
  }
  GST_DEBUG_OBJECT(self, "%" GST_PTR_FORMAT " may be stopped", static_cast<void*>(element));
  return TRUE;
}

}  // namespace

void install_prepare_stop(GObjectClass* object_class) {
  /**
   * GstWebrtcUpload::prepare-stop:
   * @element: the element
   * @webrtcbin: a webrtcbin of the application's, whether this element uses it or not; or a bin or
   * pipeline with such webrtcbins in it
   *
   * Action: does to each webrtcbin what its elements need before their state is set to READY or
   * NULL for good, while its peer may still send, or be sent something. Without it that can hang,
   * or end the program, depending on the version of GStreamer. Nothing is received or sent
   * afterwards. May be emitted in any state of the element, more than once, and by any of the
   * elements that have it.
   *
   * Returns when packets that are on their way have passed, and webrtcbin's own thread has done
   * what it had to: at once as a rule. It waits for 5 seconds at most for the thread of each
   * webrtcbin, on which handlers of the application's run. To be emitted on any thread but
   * webrtcbin's: not in a handler of its signals or its channels', nor in a pad probe inside it,
   * nor with a lock that one of those takes.
   *
   * Returns: %FALSE if there is no webrtcbin; nothing has been done then
   *
   * Since: 0.1
   */
  g_signal_new_class_handler("prepare-stop", G_OBJECT_CLASS_TYPE(object_class),
                             static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                             G_CALLBACK(prepare), nullptr, nullptr, nullptr, G_TYPE_BOOLEAN, 1,
                             GST_TYPE_ELEMENT);
}

}  // namespace webrtcupload
