// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The plugin: what GStreamer's registry knows about us.

#include <gst/gst.h>

#include "gst/build_config.h"

static gboolean plugin_init(GstPlugin* plugin) {
  (void)plugin;
  gboolean registered = TRUE;
  return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, webrtcupload,
                  "Video upload over a WebRTC data channel", plugin_init, PACKAGE_VERSION, "LGPL",
                  "webrtcupload", "https://example.invalid/webrtcupload")
