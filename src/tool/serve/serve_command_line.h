// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The options of `webrtc-upload serve` as they are written on its command line, with their words in
// `--help`. What they mean is the business of serve_options.h.

#pragma once

#include <glib.h>

#include <string>

namespace webrtcupload {

// Where 0 means something.
inline constexpr gint64 kNotGiven = G_MININT64;

// What GOption fills in.
struct ServeCommandLine {
  int port = 8080;
  char* address = nullptr;
  char** pipelines = nullptr;
  char* isolation = nullptr;
  char* sandbox = nullptr;
  char** sandbox_read = nullptr;
  char** sandbox_write = nullptr;
  char* session_user = nullptr;
  gboolean sandbox_network = FALSE;
  char* spool_directory = nullptr;
  char* video_codec = nullptr;
  char** ice_servers = nullptr;
  char* client_ice_servers = nullptr;
  char* udp_port_range = nullptr;
  char** announce_addresses = nullptr;
  gint64 max_size = 0;
  gint64 max_chunks = 0;
  gint64 min_rate = kNotGiven;
  gint64 session_memory = kNotGiven;
  char* max_pixels = nullptr;
  char* max_duration = nullptr;
  gint64 max_frames = kNotGiven;
  gint64 max_streams = kNotGiven;
  char* idle_timeout = nullptr;
  char* upload_timeout = nullptr;
  char* connect_timeout = nullptr;
  char* stall_timeout = nullptr;
  char* max_processing_timeout = nullptr;
  int max_sessions = 8;
  char* protocols = nullptr;
  char* resume_timeout = nullptr;
  gint64 max_connections = kNotGiven;
  char** api_keys = nullptr;
  char** allowed_origins = nullptr;
  char** allow_elements = nullptr;
  char** deny_elements = nullptr;
  char* api_key_file = nullptr;
  char* auth_hook = nullptr;
  char* auth_hook_timeout = nullptr;
  char* quota_interval = nullptr;
  gboolean auth_hook_forward_key = FALSE;
  gboolean insecure = FALSE;

  ServeCommandLine() = default;
  ServeCommandLine(const ServeCommandLine&) = delete;
  ServeCommandLine& operator=(const ServeCommandLine&) = delete;
  ~ServeCommandLine();

  // An empty string, or what is wrong.
  [[nodiscard]] std::string read(int& argc, char** argv);
};

}  // namespace webrtcupload
