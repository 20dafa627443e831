// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Gives each of our webrtcbins an SCTP association of its own. Associations have numbers which all
// of a program's webrtcbins share, and webrtcbin up to 1.26 draws them at random out of 65,535: the
// one that draws a number in use never gets a data channel, and says so only in GStreamer's log.
// From 1.28 on sctpdec takes a number that nobody has, and ignores one that is set by hand; sctpenc
// does not ignore it, and the two would then wait for different associations.

#pragma once

#include <gst/gst.h>

#include <atomic>

namespace webrtcupload {

// Whether this GStreamer's sctpdec takes an unused number by itself.
inline bool draws_unused_associations() {
  static const bool draws = [] {
    GstElementFactory* factory = gst_element_factory_find("sctpdec");
    if (!factory) return false;
    GstPluginFeature* loaded = gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory));
    gst_object_unref(factory);
    if (!loaded) return false;
    const GType type = gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(loaded));
    gst_object_unref(loaded);
    auto* element_class = static_cast<GObjectClass*>(g_type_class_ref(type));
    const bool found = g_object_class_find_property(element_class, "automatic-association-id");
    g_type_class_unref(element_class);
    return found;
  }();
  return draws;
}

// Before the negotiation. No two of the last 65,536 webrtcbins that were given to this have the
// same number; one that was not may still draw it.
inline void give_own_association(GstElement* webrtcbin) {
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
