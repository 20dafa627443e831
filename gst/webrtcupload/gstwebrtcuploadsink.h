// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD_SINK (gst_webrtc_upload_sink_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcUploadSink, gst_webrtc_upload_sink, GST, WEBRTC_UPLOAD_SINK,
                     GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(webrtcuploadsink);

G_END_DECLS
