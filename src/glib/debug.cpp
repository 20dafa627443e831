// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/debug.h"

namespace webrtcupload::debug {
namespace {

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

GstDebugCategory* sink() {
  static GstDebugCategory* const category =
      make("webrtcuploadsink", "Sending a file over a WebRTC data channel");
  return category;
}

GstDebugCategory* result_sink() {
  static GstDebugCategory* const category =
      make("webrtcresultsink", "Results to the client of an upload");
  return category;
}

GstDebugCategory* results() {
  static GstDebugCategory* const category = make("webrtcresults", "Results over a data channel");
  return category;
}

}  // namespace webrtcupload::debug
