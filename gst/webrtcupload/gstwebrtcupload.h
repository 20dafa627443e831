// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD (gst_webrtc_upload_get_type())
G_DECLARE_FINAL_TYPE(GstWebrtcUpload, gst_webrtc_upload, GST, WEBRTC_UPLOAD, GstBaseSrc)

#define GST_TYPE_WEBRTC_UPLOAD_STATE (gst_webrtc_upload_state_get_type())
GType gst_webrtc_upload_state_get_type(void);

GST_ELEMENT_REGISTER_DECLARE(webrtcupload);

// For webrtcuploadserver, which makes the connections. With null before the element starts: it then
// needs no webrtcbin. Later: the upload comes from this webrtcbin's peer. May be called again with
// another one until the upload has begun; a peer that leaves before is no failure. Not while the
// element changes its state.
void gst_webrtc_upload_attach(GstWebrtcUpload* self, GstElement* webrtcbin);

// As the action of that name, but no handler is called.
void gst_webrtc_upload_cancel(GstWebrtcUpload* self);

// The file is no video, as `why` says: the upload fails with code `not-a-video`. On any thread,
// which is the one that posts the error.
void gst_webrtc_upload_refuse(GstWebrtcUpload* self, const char* why);

G_END_DECLS
