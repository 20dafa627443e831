// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/association.h"

#include <atomic>

#include "webrtc/inner_elements.h"
#include "webrtc/workarounds.h"

namespace webrtcupload {

bool draws_unused_associations() {
  static const bool draws = element_has_property(inner::kSctpDecoder, "automatic-association-id");
  return draws;
}

void give_own_association(GstElement* webrtcbin) {
  if (draws_unused_associations()) return;
  static std::atomic<guint> next = g_random_int();
  constexpr guint kLargest = 65535;  // That sctpdec takes.
  const guint id = next++ & kLargest;
  g_signal_connect(webrtcbin, "element-added",
                   G_CALLBACK(+[](GstBin*, GstElement* element, gpointer number) {
                     constexpr const char* kProperty = "sctp-association-id";
                     if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), kProperty)) {
                       g_object_set(element, kProperty, GPOINTER_TO_UINT(number), nullptr);
                     }
                   }),
                   GUINT_TO_POINTER(id));
}

}  // namespace webrtcupload
