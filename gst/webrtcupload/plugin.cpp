// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The plugin without HTTP: what GStreamer's registry knows about us.

#include <gst/gst.h>

#include "glib/debug.h"
#include "gst/build_config.h"
#include "gst/webrtcupload/gstwebrtcresultsink.h"
#include "gst/webrtcupload/gstwebrtcupload.h"
#include "gst/webrtcupload/gstwebrtcuploadopaque.h"
#include "gst/webrtcupload/gstwebrtcuploadsink.h"
#include "gst/webrtcupload/gstwebrtcuploadvpxdec.h"

static gboolean plugin_init(GstPlugin* plugin) {
  webrtcupload::debug::make_categories();
  gboolean registered = FALSE;
  registered |= GST_ELEMENT_REGISTER(webrtcupload, plugin);
  registered |= GST_ELEMENT_REGISTER(webrtcuploadopaque, plugin);
  registered |= GST_ELEMENT_REGISTER(webrtcuploadsink, plugin);
  registered |= GST_ELEMENT_REGISTER(webrtcuploadvp8dec, plugin);
  registered |= GST_ELEMENT_REGISTER(webrtcuploadvp9dec, plugin);
  registered |= GST_ELEMENT_REGISTER(webrtcresultsink, plugin);
  return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, webrtcupload,
                  "File upload over a WebRTC data channel", plugin_init, PACKAGE_VERSION, "LGPL",
                  GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
