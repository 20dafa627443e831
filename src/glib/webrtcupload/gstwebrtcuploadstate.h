/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The states of an upload. Installed.
 */

#pragma once

#include <glib-object.h>

#include <webrtcupload/gstwebrtcuploadapi.h>

G_BEGIN_DECLS

/**
 * GstWebrtcUploadState:
 * @GST_WEBRTC_UPLOAD_STATE_IDLE: no chunk has arrived
 * @GST_WEBRTC_UPLOAD_STATE_UPLOADING: chunks arrive
 * @GST_WEBRTC_UPLOAD_STATE_COMPLETE: all chunks have arrived
 * @GST_WEBRTC_UPLOAD_STATE_PROCESSING: all chunks have arrived, and the file is being read
 * @GST_WEBRTC_UPLOAD_STATE_DONE: the file has been read
 * @GST_WEBRTC_UPLOAD_STATE_ERROR: the upload has failed
 *
 * Where an upload is: the property `state` of the element `webrtcupload`.
 *
 * Since: 0.1
 */
typedef enum {
  GST_WEBRTC_UPLOAD_STATE_IDLE,
  GST_WEBRTC_UPLOAD_STATE_UPLOADING,
  GST_WEBRTC_UPLOAD_STATE_COMPLETE,
  GST_WEBRTC_UPLOAD_STATE_PROCESSING,
  GST_WEBRTC_UPLOAD_STATE_DONE,
  GST_WEBRTC_UPLOAD_STATE_ERROR,
} GstWebrtcUploadState;

#define GST_TYPE_WEBRTC_UPLOAD_STATE (gst_webrtc_upload_state_get_type())

GST_WEBRTC_UPLOAD_API
GType gst_webrtc_upload_state_get_type(void);

G_END_DECLS
