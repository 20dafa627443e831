// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of `webrtc-upload serve`.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "signalling/api_keys.h"
#include "signalling/http_server.h"
#include "signalling/worker_request.h"
#include "tool/common/session_types.h"
#include "tool/serve/auth_hook.h"
#include "tool/serve/pipelines.h"

namespace webrtcupload {

struct ServeOptions {
  HttpServerOptions http;
  Pipelines pipelines;
  ApiKeys keys;
  std::optional<std::string> key_file;
  std::optional<AuthHookOptions> hook;
  // Take strangers' uploads from other machines.
  bool insecure = false;
  bool isolate = true;
  std::size_t max_sessions = 8;
  // Of what a client asks for, and for those that ask for nothing.
  std::optional<std::chrono::milliseconds> max_processing_timeout;
  ClientIceServers client_ice_servers = ClientIceServers::kIgnore;
  // What every session starts from.
  SessionConfig session;
};

// Reads the command line (those after "serve", in argv form) and starts GStreamer. Nothing if all
// went well; otherwise it has been said what is wrong, and this is the exit status.
[[nodiscard]] std::optional<int> read_serve_options(int argc, char** argv, ServeOptions& options);

// Seconds as people write them, from `least` on: "2.5". An empty string, or what is wrong.
[[nodiscard]] std::string read_seconds(const char* name, const char* text, double least,
                                       std::optional<std::chrono::milliseconds>& value);

// What looks at the uploads if the operator says nothing: the text after "webrtcupload !".
[[nodiscard]] std::string default_pipeline();

}  // namespace webrtcupload
