// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/plugging_wait.h"

#include <thread>

#include "downstream/element_kinds.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

GstPtr<GstElement> topmost(GstElement* element) {
  GstPtr<GstElement> top = ref_gst(element);
  while (true) {
    GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(top.get())));
    if (!parent || !GST_IS_ELEMENT(parent.get())) return top;
    top.reset(GST_ELEMENT(parent.release()));
  }
}

// 0 (equal) for an element that is being started by the autoplugger that it is in.
gint compare_starting(gconstpointer item, gconstpointer) {
  GstElement* element = GST_ELEMENT(g_value_get_object(static_cast<const GValue*>(item)));
  if (!gst_element_is_locked_state(element)) return 1;
  const GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(element)));
  return parent && is_autoplugger(GST_ELEMENT(parent.get())) ? 0 : 1;
}

}  // namespace

bool is_plugged(GstElement* element) {
  const GstPtr<GstElement> top = topmost(element);
  if (!GST_IS_BIN(top.get())) return true;
  GstIterator* elements = gst_bin_iterate_recurse(GST_BIN(top.get()));
  GValue found = G_VALUE_INIT;
  // Begins anew by itself when elements come or go meanwhile.
  const bool starting = gst_iterator_find_custom(elements, compare_starting, &found, nullptr);
  if (starting) g_value_unset(&found);
  gst_iterator_free(elements);
  return !starting;
}

void wait_until_plugged(GstElement* element, const std::function<bool()>& given_up,
                        std::chrono::milliseconds longest) {
  // Nothing tells of a state that is unlocked. It is a matter of microseconds.
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (!is_plugged(element) && !given_up() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace webrtcupload
