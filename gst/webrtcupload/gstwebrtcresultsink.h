// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_RESULT_SINK (gst_webrtc_result_sink_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcResultSink, gst_webrtc_result_sink, GST, WEBRTC_RESULT_SINK,
                     GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(webrtcresultsink);

G_END_DECLS
