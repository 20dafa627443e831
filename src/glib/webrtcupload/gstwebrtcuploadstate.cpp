// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtcupload/gstwebrtcuploadstate.h"

// By hand: gst-inspect-1.0 shows a value's name where a person expects a description.
GType gst_webrtc_upload_state_get_type(void) {
  static const GEnumValue values[] = {
      {GST_WEBRTC_UPLOAD_STATE_IDLE, "No chunk has arrived", "idle"},
      {GST_WEBRTC_UPLOAD_STATE_UPLOADING, "Chunks arrive", "uploading"},
      {GST_WEBRTC_UPLOAD_STATE_COMPLETE, "All chunks have arrived", "complete"},
      {GST_WEBRTC_UPLOAD_STATE_PROCESSING, "The file is being read", "processing"},
      {GST_WEBRTC_UPLOAD_STATE_DONE, "The file has been read", "done"},
      {GST_WEBRTC_UPLOAD_STATE_ERROR, "The upload failed", "error"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstWebrtcUploadState", values);
  return type;
}
