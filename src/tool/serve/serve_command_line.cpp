// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/serve_command_line.h"

#include "core/upload_limits.h"
#include "tool/common/options.h"

namespace webrtcupload {

ServeCommandLine::~ServeCommandLine() {
  for (char* text : {address,
                     isolation,
                     sandbox,
                     session_user,
                     spool_directory,
                     video_codec,
                     client_ice_servers,
                     udp_port_range,
                     idle_timeout,
                     upload_timeout,
                     connect_timeout,
                     stall_timeout,
                     max_processing_timeout,
                     api_key_file,
                     auth_hook,
                     auth_hook_timeout,
                     quota_interval,
                     max_pixels,
                     max_duration,
                     protocols,
                     resume_timeout}) {
    g_free(text);
  }
  g_strfreev(pipelines);
  g_strfreev(sandbox_read);
  g_strfreev(sandbox_write);
  g_strfreev(ice_servers);
  g_strfreev(announce_addresses);
  g_strfreev(api_keys);
  g_strfreev(allowed_origins);
  g_strfreev(allow_elements);
  g_strfreev(deny_elements);
}

std::string ServeCommandLine::read(int& argc, char** argv) {
  static_assert(kDefaultMaxSize == 524288000, "as --max-size says it below");
  const GOptionEntry entries[] = {
      {"port", 'p', 0, G_OPTION_ARG_INT, &port, "Port for HTTP; 0 = any that is free (8080)",
       "PORT"},
      {"address", 'a', 0, G_OPTION_ARG_STRING, &address,
       "IP address, or localhost, to listen on (127.0.0.1: this machine only)", "ADDRESS"},
      {"api-key", 0, 0, G_OPTION_ARG_STRING_ARRAY, &api_keys,
       "A key that clients may present; can be given more than once, and is seen by who can list "
       "this machine's processes",
       "KEY"},
      {"api-key-file", 0, 0, G_OPTION_ARG_FILENAME, &api_key_file,
       "Keys that clients may present, one a line; read again on SIGHUP", "FILE"},
      {"allow-origin", 0, 0, G_OPTION_ARG_STRING_ARRAY, &allowed_origins,
       "Web pages that may use this server beside its own: scheme://host[:port], or * for all; can "
       "be given more than once. Pages of other origins are refused; programs are not concerned "
       "(none)",
       "ORIGIN"},
      {"auth-hook", 0, 0, G_OPTION_ARG_STRING, &auth_hook,
       "Ask there, with a POST of JSON, what a client may do", "URL"},
      {"auth-hook-timeout", 0, 0, G_OPTION_ARG_STRING, &auth_hook_timeout,
       "No reply in so long is a no (5)", "SECONDS"},
      {"auth-hook-forward-key", 0, 0, G_OPTION_ARG_NONE, &auth_hook_forward_key,
       "Give the hook the client's key, in an Authorization header", nullptr},
      {"quota-interval", 0, 0, G_OPTION_ARG_STRING, &quota_interval,
       "Ask the hook so often while an upload runs (10)", "SECONDS"},
      {"insecure", 0, 0, G_OPTION_ARG_NONE, &insecure,
       "Listen on an address that others can reach without any of those", nullptr},
      {"pipeline", 0, 0, G_OPTION_ARG_STRING_ARRAY, &pipelines,
       "What to do with an upload: the part of a GStreamer pipeline after \"webrtcupload !\" "
       "(decode it and look for people). With NAME= before it, for the clients whose workflow_id "
       "is "
       "NAME; can be given more than once",
       "[NAME=]DESCRIPTION"},
      {"ice-server", 0, 0, G_OPTION_ARG_STRING_ARRAY, &ice_servers,
       "A STUN or TURN server to use and to tell clients, stun://HOST:PORT or "
       "turn://USER:PASSWORD@HOST:PORT; can be given more than once",
       "URI"},
      {"client-ice-servers", 0, 0, G_OPTION_ARG_STRING, &client_ice_servers,
       "What to do with STUN and TURN servers that a client names: \"ignore\" them, \"allow\" them "
       "(then this machine sends packets wherever clients want) or \"refuse\" the client (ignore)",
       "WHAT"},
      {"udp-port-range", 0, 0, G_OPTION_ARG_STRING, &udp_port_range,
       "UDP ports for WebRTC, at least one for each of --max-sessions, and with v2 better one for "
       "each connection: --max-connections and 1 for each session; from 1024 on (any that are "
       "free)",
       "MIN-MAX"},
      {"announce-address", 0, 0, G_OPTION_ARG_STRING_ARRAY, &announce_addresses,
       "IP address at which clients reach this machine over UDP, told to them in place of its own "
       "of the same family (1:1 NAT, a container); can be given more than once",
       "ADDRESS"},
      {"video-codec", 0, 0, G_OPTION_ARG_STRING, &video_codec,
       "What a video track to a client is encoded as, VP8 or H264 (VP8)", "CODEC"},
      {"allow-elements", 0, 0, G_OPTION_ARG_STRING_ARRAY, &allow_elements,
       "Elements that decodebin and its like may choose although they open what a file names, with "
       "commas between; can be given more than once (none)",
       "NAMES"},
      {"deny-elements", 0, 0, G_OPTION_ARG_STRING_ARRAY, &deny_elements,
       "Elements that decodebin and its like must not choose, with commas between; can be given "
       "more than once (none)",
       "NAMES"},
      {"max-size", 0, 0, G_OPTION_ARG_INT64, &max_size,
       "Largest file accepted, in bytes (524288000)", "BYTES"},
      {"max-chunks", 0, 0, G_OPTION_ARG_INT64, &max_chunks,
       "Most chunks accepted; 0 = as many as a file of the largest size needs (0)", "NUMBER"},
      {"max-pixels", 0, 0, G_OPTION_ARG_STRING, &max_pixels,
       "Most pixels of a picture: a number, or WIDTHxHEIGHT; 0 = no limit (8192x8192)", "PIXELS"},
      {"max-duration", 0, 0, G_OPTION_ARG_STRING, &max_duration,
       "Longest film accepted; 0 = no limit (86400)", "SECONDS"},
      {"max-frames", 0, 0, G_OPTION_ARG_INT64, &max_frames,
       "Most frames of a film accepted; 0 = no limit (12000000)", "NUMBER"},
      {"max-streams", 0, 0, G_OPTION_ARG_INT64, &max_streams,
       "Most streams of a film accepted, video, audio and others; 0 = no limit (64)", "NUMBER"},
      {"min-rate", 0, 0, G_OPTION_ARG_INT64, &min_rate,
       "End an upload that is slower than so many bytes a second, over a minute; 0 = never (4096)",
       "BYTES"},
      {"idle-timeout", 0, 0, G_OPTION_ARG_STRING, &idle_timeout,
       "End an upload from which nothing new comes for so long; 0 = never (30)", "SECONDS"},
      {"upload-timeout", 0, 0, G_OPTION_ARG_STRING, &upload_timeout,
       "End an upload that takes longer; 0 = never (0)", "SECONDS"},
      {"protocols", 0, 0, G_OPTION_ARG_STRING, &protocols,
       "Wire formats that are spoken: v1, v2, or both with a comma between (v1,v2)", "VERSIONS"},
      {"resume-timeout", 0, 0, G_OPTION_ARG_STRING, &resume_timeout,
       "How long an upload in v2 that has lost its connections waits for its client; its session "
       "counts meanwhile; 0 = not at all (60)",
       "SECONDS"},
      {"max-connections", 0, 0, G_OPTION_ARG_INT64, &max_connections,
       "Connections that one upload in v2 may come over at the same time, at most 64 (4)",
       "NUMBER"},
      {"connect-timeout", 0, 0, G_OPTION_ARG_STRING, &connect_timeout,
       "Forget a client that does not connect, or does not send its first chunk, in so long (30)",
       "SECONDS"},
      {"stall-timeout", 0, 0, G_OPTION_ARG_STRING, &stall_timeout,
       "End a session in which neither the upload nor the analysis gets on for so long; 0 = never "
       "(60)",
       "SECONDS"},
      {"max-processing-timeout", 0, 0, G_OPTION_ARG_STRING, &max_processing_timeout,
       "End an analysis that takes longer, also if its client asked for more (no limit)",
       "SECONDS"},
      {"spool-directory", 0, 0, G_OPTION_ARG_FILENAME, &spool_directory,
       "Where uploads are kept until they are processed, in files without a name (what TMPDIR "
       "says, otherwise /var/tmp)",
       "DIRECTORY"},
      {"max-sessions", 0, 0, G_OPTION_ARG_INT, &max_sessions,
       "How many uploads at once; further ones are told to try later (8)", "NUMBER"},
      {"isolation", 0, 0, G_OPTION_ARG_STRING, &isolation,
       "\"process\": each upload in a process of its own; \"none\": all in this one (process)",
       "KIND"},
      {"sandbox", 0, 0, G_OPTION_ARG_STRING, &sandbox,
       "What holds the process of an upload: \"auto\", all that this system has; \"strict\": do "
       "not "
       "start where a part is missing; \"off\" (auto)",
       "KIND"},
      {"sandbox-read", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sandbox_read,
       "A file or directory that the pipelines read, beside those that they name; can be given "
       "more "
       "than once",
       "PATH"},
      {"sandbox-write", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &sandbox_write,
       "A file, directory or device that the pipelines write to; can be given more than once",
       "PATH"},
      {"sandbox-network", 0, 0, G_OPTION_ARG_NONE, &sandbox_network,
       "The pipelines have connections of their own: leave the network open to them", nullptr},
      {"session-user", 0, 0, G_OPTION_ARG_STRING, &session_user,
       "Whose rights the process of an upload has, if root has started the server", "USER"},
      {"session-memory", 0, 0, G_OPTION_ARG_INT64, &session_memory,
       "Most memory for the process of one upload, thread stacks included; 0 = no limit (three "
       "quarters of this machine's memory divided by --max-sessions, but at least 1 GiB, 32 MiB "
       "for each processor and, with v2, 96 MiB for each of --max-connections)",
       "BYTES"},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr},
  };
  std::string problem =
      parse_options("serve", "- take video uploads and analyse them",
                    "Prints one JSON line when it listens, one for each session, one for each "
                    "analysed frame and\n"
                    "one for the end of each session. Ctrl-C ends it. Logs go to standard error.\n",
                    entries, argc, argv);
  if (problem.empty() && argc > 1) problem = std::string("unexpected argument ") + argv[1];
  return problem;
}

}  // namespace webrtcupload
