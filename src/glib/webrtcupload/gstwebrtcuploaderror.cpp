// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The domain of upload errors. The codes' GEnum is made from the header:
// gstwebrtcupload-enums.cpp.in.

#include "webrtcupload/gstwebrtcuploaderror.h"

GQuark gst_webrtc_upload_error_quark(void) {
  return g_quark_from_static_string("gst-webrtc-upload-error-quark");
}
