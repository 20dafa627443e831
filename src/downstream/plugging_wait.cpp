// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/plugging_wait.h"

#include <algorithm>
#include <thread>

#include "downstream/element_kinds.h"
#include "glib/elements_in.h"
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

// Whether the autoplugger that the element is in is about to start it.
bool is_starting(GstElement* element) {
  if (!gst_element_is_locked_state(element)) return false;
  const GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(element)));
  return parent && is_autoplugger(GST_ELEMENT(parent.get()));
}

}  // namespace

bool is_plugged(GstElement* element) {
  const GstPtr<GstElement> top = topmost(element);
  if (!GST_IS_BIN(top.get())) return true;
  return std::ranges::none_of(elements_in(GST_BIN(top.get())),
                              [](const auto& inner) { return is_starting(inner.get()); });
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
