// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The debug categories of GStreamer's log, one for each part, made when the first line is written.
// A file says which is its own, after its includes:
//
//   #define GST_CAT_DEFAULT webrtcupload::debug::upload()

#pragma once

#include <gst/gst.h>

#include <string>
#include <string_view>

namespace webrtcupload::debug {

[[nodiscard]] GstDebugCategory* upload();   // webrtcupload
[[nodiscard]] GstDebugCategory* session();  // webrtcuploadsession
[[nodiscard]] GstDebugCategory* peer();     // webrtcuploadpeer
[[nodiscard]] GstDebugCategory* server();   // webrtcuploadserver
[[nodiscard]] GstDebugCategory* sink();     // webrtcuploadsink
[[nodiscard]] GstDebugCategory* results();  // webrtcuploadresults

// So that `--gst-debug-help` has all of them when a plugin of ours is loaded.
void make_categories();

// Words of a peer within a line: in quotation marks, without control characters, and not more than
// a line has room for.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace webrtcupload::debug
