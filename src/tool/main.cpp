// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtc-upload: video uploads over WebRTC data channels, from the command line.

#include <glib.h>
#include <gst/gst.h>

#include <clocale>
#include <csignal>
#include <string_view>

#include "build_config.h"
#include "tool/common/options.h"
#include "tool/send/send.h"
#include "tool/serve/serve.h"
#include "tool/session/session_main.h"

namespace {

constexpr const char* kHelp =
    "Usage:\n"
    "  webrtc-upload serve [OPTION...]             take video uploads and analyse them\n"
    "  webrtc-upload send FILE --to URL [OPTION...]  upload a video\n"
    "  webrtc-upload --version\n"
    "\n"
    "\"webrtc-upload serve --help\" and \"webrtc-upload send --help\" say more.\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace webrtcupload;
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
