// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The debug category "webrtcupload", for all of the receiving element's files. Include it last,
// where it is used.

#pragma once

#include <gst/gst.h>

GST_DEBUG_CATEGORY_EXTERN(gst_webrtc_upload_debug);
#define GST_CAT_DEFAULT gst_webrtc_upload_debug
