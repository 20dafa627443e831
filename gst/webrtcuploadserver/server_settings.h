// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties of webrtcuploadserver that its server is started with: kept as they are set, and
// checked when it starts.

#pragma once

#include <gst/gst.h>

#include <string>

#include "glib/settings_properties.h"
#include "signalling/upload_server.h"

namespace webrtcupload {

inline constexpr guint kLastPort = 65535;

// Empty texts are those that are not set.
struct ServerProperties {
  std::string address = "127.0.0.1";
  guint port = 8080;
  std::string stun_server;
  std::string turn_server;
  guint min_udp_port = 0;
  guint max_udp_port = kLastPort;
  std::string announce_address;
  std::string api_key;
  std::string allowed_origins;
  GstClockTime connect_timeout = 30 * GST_SECOND;
};

// All but the port, which reads back as the one that was found.
void add_server_settings(SettingsProperties<ServerProperties>& properties);

// False when an error has been posted on `element`.
[[nodiscard]] bool read_server_settings(GstElement* element, const ServerProperties& properties,
                                        UploadServer::Settings& settings);

}  // namespace webrtcupload
