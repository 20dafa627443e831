// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owning pointers for GLib and GStreamer objects, for members and for everything that outlives a
// scope. (Locals may use g_autoptr; the two never own the same reference.)

#pragma once

#include <glib-object.h>
#include <gst/gst.h>

#include <memory>

namespace webrtcupload {

template <auto Function>
struct FunctionDeleter {
  template <typename T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};

// gst_object_unref rather than g_object_unref, so that GStreamer's own reference tracing sees it.
template <typename T>
using GstPtr = std::unique_ptr<T, FunctionDeleter<gst_object_unref>>;
template <typename T>
using GObjectPtr = std::unique_ptr<T, FunctionDeleter<g_object_unref>>;
using GCharPtr = std::unique_ptr<char, FunctionDeleter<g_free>>;
using GErrorPtr = std::unique_ptr<GError, FunctionDeleter<g_error_free>>;
using GBytesPtr = std::unique_ptr<GBytes, FunctionDeleter<g_bytes_unref>>;
using GstStructurePtr = std::unique_ptr<GstStructure, FunctionDeleter<gst_structure_free>>;

// gst_message_unref and its like are static inline: as template arguments they would make a type
// of its own in every file.
template <typename T>
struct MiniObjectDeleter {
  void operator()(T* object) const { gst_mini_object_unref(GST_MINI_OBJECT_CAST(object)); }
};
template <typename T>
using GstMiniPtr = std::unique_ptr<T, MiniObjectDeleter<T>>;
using GstMessagePtr = GstMiniPtr<GstMessage>;
using GstBufferPtr = GstMiniPtr<GstBuffer>;
using GstCapsPtr = GstMiniPtr<GstCaps>;
using GstEventPtr = GstMiniPtr<GstEvent>;

// A new strong reference to `object` (which may be null).
template <typename T>
GstPtr<T> ref_gst(T* object) {
  return GstPtr<T>(object ? static_cast<T*>(gst_object_ref(object)) : nullptr);
}
template <typename T>
GObjectPtr<T> ref_gobject(T* object) {
  return GObjectPtr<T>(object ? static_cast<T*>(g_object_ref(object)) : nullptr);
}

}  // namespace webrtcupload
