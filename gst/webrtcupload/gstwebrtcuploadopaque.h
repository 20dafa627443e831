// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD_OPAQUE (gst_webrtc_upload_opaque_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcUploadOpaque, gst_webrtc_upload_opaque, GST, WEBRTC_UPLOAD_OPAQUE,
                     GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(webrtcuploadopaque);

G_END_DECLS
