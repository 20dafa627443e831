// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD (gst_webrtc_upload_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcUpload, gst_webrtc_upload, GST, WEBRTC_UPLOAD, GstBaseSrc)

GST_ELEMENT_REGISTER_DECLARE(webrtcupload);

G_END_DECLS
