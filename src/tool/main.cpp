// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtc-upload: video uploads over WebRTC data channels, from the command line.

#include <glib.h>
#include <gst/gst.h>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

#include "build_config.h"
#include "tool/common/options.h"
#include "tool/send/send.h"
#include "tool/serve/serve.h"
#include "tool/session/session_main.h"

namespace webrtcupload {
namespace {

constexpr const char* kHelp =
    "Usage:\n"
    "  webrtc-upload serve [OPTION...]             take video uploads and analyse them\n"
    "  webrtc-upload send FILE --to URL [OPTION...]  upload a video\n"
    "  webrtc-upload --version\n"
    "\n"
    "\"webrtc-upload serve --help\" and \"webrtc-upload send --help\" say more.\n";

int run(int argc, char** argv) {
  // For people's file names and messages, but not for numbers, which programs read.
  setlocale(LC_ALL, "");
  setlocale(LC_NUMERIC, "C");
  // Readers of our pipes may go away; that is an error of write(), not the end.
  signal(SIGPIPE, SIG_IGN);
  // For sessions in this process; see child_session.cpp.
  g_setenv("OPENCV_LOG_LEVEL", "SILENT", FALSE);
  g_set_prgname("webrtc-upload");

  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "--help" || command == "-h" || command == "help") {
    g_print("%s", kHelp);
    return kExitOk;
  }
  if (command == "--version") {
    g_print("webrtc-upload %s\n", PACKAGE_VERSION);
    return kExitOk;
  }
  if (command == "serve") return serve_main(argc - 1, argv + 1);
  if (command == "send") return send_main(argc - 1, argv + 1);
  if (command == "session") {
    gst_init(nullptr, nullptr);
    return session_main();
  }
  if (!command.empty()) g_printerr("webrtc-upload: unknown command %s\n", argv[1]);
  g_printerr("%s", kHelp);
  return kExitUsage;
}

// Threads of webrtcbin, libnice and GLib's pools outlive what they have worked for, and nobody can
// join them. So nothing is taken down that they may still use: static objects of libraries, OpenSSL
// and GnuTLS.
[[noreturn]] void leave(int status) {
#if defined(EXIT_HANDLERS_COUNT) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // Coverage and leaks are told there.
  std::exit(status);
#else
  std::fflush(nullptr);
  _exit(status);
#endif
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) { webrtcupload::leave(webrtcupload::run(argc, argv)); }
