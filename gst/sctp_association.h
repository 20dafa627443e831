// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Gives each of our webrtcbins an SCTP association of its own. Associations have numbers which all
// of a program's webrtcbins share, and webrtcbin 1.22 draws them at random out of 65,535: the one
// that draws a number in use never gets a data channel, and says so only in GStreamer's log.

#pragma once

#include <gst/gst.h>

#include <atomic>

namespace webrtcupload {

// Before the negotiation. No two of the last 65,536 webrtcbins that were given to this have the
// same number; one that was not may still draw it.
inline void give_own_association(GstElement* webrtcbin) {
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
