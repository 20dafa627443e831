// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The plugin with its own HTTP signalling: what GStreamer's registry knows about it.

#include <gst/gst.h>

#include "glib/debug.h"
#include "gst/build_config.h"
#include "gst/webrtcuploadserver/gstwebrtcuploadserver.h"

static gboolean plugin_init(GstPlugin* plugin) {
  webrtcupload::debug::make_categories();
  return GST_ELEMENT_REGISTER(webrtcuploadserver, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, webrtcuploadserver,
                  "File upload over a WebRTC data channel, signalling included", plugin_init,
                  PACKAGE_VERSION, "LGPL", GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
