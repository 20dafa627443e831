// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps data channels for as long as their webrtcbin exists. webrtcbin 1.22 lets go of a channel
// when that closes, but not of the appsrc that sends for it; when what that was just sending meets
// a pad that has gone, it reports so to the channel, by a pointer that nothing keeps valid. The
// program ends with a segmentation fault, and a peer can bring that about by closing its channel at
// the right moment.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <mutex>

namespace webrtcupload {

// Once is enough; again does nothing. Takes no lock of webrtcbin's, so it may be called in
// on-data-channel. What webrtcbin keeps of a channel is much more than this.
inline void keep_channel(GstElement* webrtcbin, GstWebRTCDataChannel* channel) {
  static constexpr const char* kKey = "webrtcupload-channels";
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  auto* kept = static_cast<GPtrArray*>(g_object_get_data(G_OBJECT(webrtcbin), kKey));
  if (!kept) {
    kept = g_ptr_array_new_with_free_func(g_object_unref);
    g_object_set_data_full(G_OBJECT(webrtcbin), kKey, kept, [](gpointer array) {
      g_ptr_array_unref(static_cast<GPtrArray*>(array));
    });
  }
  if (!g_ptr_array_find(kept, channel, nullptr)) g_ptr_array_add(kept, g_object_ref(channel));
}

}  // namespace webrtcupload
