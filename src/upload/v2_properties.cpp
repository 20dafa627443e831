// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/v2_properties.h"

#include <gst/gst.h>

#include "core/upload_limits.h"
#include "glib/settings_properties.h"
#include "upload/upload_protocol.h"

namespace webrtcupload {
namespace {

GType protocols_get_type() {
  static const GFlagsValue values[] = {
      {1, "Numbered chunks; channels with an empty protocol field", "v1"},
      {2, "Checksums, resuming, several connections; \"webrtcupload.v2\"", "v2"},
      {0, nullptr, nullptr},
  };
  static const GType type = [] {
    const GType registered = g_flags_register_static("GstWebrtcUploadProtocols", values);
    gst_type_mark_as_plugin_api(registered, GstPluginAPIFlags(0));
    return registered;
  }();
  return type;
}

}  // namespace

GParamSpec* protocols_spec() {
  return g_param_spec_flags("protocols", "Wire formats",
                            "Which versions of the wire format are spoken. A channel chooses one "
                            "by its protocol field; one that is not spoken is left alone, and a "
                            "data-channel of it is an error",
                            protocols_get_type(), kAllVersions, kReadyFlags);
}

GParamSpec* resume_timeout_spec() {
  return g_param_spec_uint64(
      "resume-timeout", "Resume time-out",
      "With v2, how long an upload that has lost all its channels waits for the client to come "
      "back, in nanoseconds (error peer-gone; 0 = not at all)",
      0, G_MAXINT64, nanoseconds(Limits().resume_timeout), kReadyFlags);
}

GParamSpec* max_connections_spec() {
  return g_param_spec_uint(
      "max-connections", "Maximum number of connections",
      "With v2, channels that one upload may come over at the same time. When one more joins, the "
      "one that has been quiet longest is closed (error too-many-channels on that channel)",
      1, 1024, Limits().max_connections, kReadyFlags);
}

}  // namespace webrtcupload
