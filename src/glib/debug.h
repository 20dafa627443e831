// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The debug categories of GStreamer's log, one for each part, made when the first line is written.
// A file says which is its own, after its includes:
//
//   #define GST_CAT_DEFAULT webrtcupload::debug::upload()

#pragma once

#include <gst/gst.h>

namespace webrtcupload::debug {

[[nodiscard]] GstDebugCategory* upload();       // webrtcupload
[[nodiscard]] GstDebugCategory* session();      // webrtcuploadsession
[[nodiscard]] GstDebugCategory* sink();         // webrtcuploadsink
[[nodiscard]] GstDebugCategory* result_sink();  // webrtcresultsink
[[nodiscard]] GstDebugCategory* results();      // webrtcresults

}  // namespace webrtcupload::debug
