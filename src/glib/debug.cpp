// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/debug.h"

#include <cstddef>

#include "json/printable.h"

namespace webrtcupload::debug {
namespace {

constexpr std::size_t kMostBytes = 100;

GstDebugCategory* make(const char* name, const char* description) {
  GstDebugCategory* category = nullptr;
  GST_DEBUG_CATEGORY_INIT(category, name, 0, description);
  return category;
}

}  // namespace

GstDebugCategory* upload() {
  static GstDebugCategory* const category =
      make("webrtcupload", "Upload over a WebRTC data channel");
  return category;
}

GstDebugCategory* session() {
  static GstDebugCategory* const category =
      make("webrtcuploadsession", "One upload: its channel, its messages and its end");
  return category;
}

GstDebugCategory* peer() {
  static GstDebugCategory* const category =
      make("webrtcuploadpeer", "The connection to a peer: ICE, DTLS, its certificate, its end");
  return category;
}

GstDebugCategory* server() {
  static GstDebugCategory* const category =
      make("webrtcuploadserver", "Uploads over WebRTC, signalling included");
  return category;
}

GstDebugCategory* sink() {
  static GstDebugCategory* const category =
      make("webrtcuploadsink", "Sending a file over a WebRTC data channel");
  return category;
}

GstDebugCategory* results() {
  static GstDebugCategory* const category =
      make("webrtcuploadresults", "Results to the client of an upload");
  return category;
}

void make_categories() {
  for (const auto category : {upload, session, peer, server, sink, results}) {
    static_cast<void>(category());
  }
}

std::string quote(std::string_view text) {
  std::string quoted = "\"" + printable(text.substr(0, kMostBytes)) + "\"";
  if (text.size() > kMostBytes) quoted += " (" + std::to_string(text.size()) + " bytes)";
  return quoted;
}

}  // namespace webrtcupload::debug
