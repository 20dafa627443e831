// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD_SERVER (gst_webrtc_upload_server_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcUploadServer, gst_webrtc_upload_server, GST, WEBRTC_UPLOAD_SERVER,
                     GstBin)

GST_ELEMENT_REGISTER_DECLARE(webrtcuploadserver);

G_END_DECLS
