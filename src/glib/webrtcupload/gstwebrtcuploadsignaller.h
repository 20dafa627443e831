/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How webrtcuploadserver hears of its peers, for an application that has a way of its own for that.
 * Installed.
 */

#pragma once

#include <glib-object.h>

#include <webrtcupload/gstwebrtcuploadapi.h>

G_BEGIN_DECLS

#define GST_TYPE_WEBRTC_UPLOAD_SIGNALLER (gst_webrtc_upload_signaller_get_type())

/**
 * GstWebrtcUploadSignaller:
 *
 * Brings peers' offers to a `webrtcuploadserver`, and its answers to the peers. An object that
 * implements it is set as the element's property `signaller`, and then takes the place of the
 * element's HTTP server. It belongs to one element at a time.
 *
 * Offers and answers are whole: all ICE candidates are in them, and no other candidates follow. To
 * each offer that was taken there is one gst_webrtc_upload_signaller_answer() or one
 * gst_webrtc_upload_signaller_refuse(), and to each answer later one
 * gst_webrtc_upload_signaller_end(). These three are called on the thread of the element's signal
 * `peer-added`, one after the other. They may block, and may stop, restart or unref the element.
 *
 * Who may upload is for the signaller to decide. What is in an offer is checked by the element. At
 * most 16 offers are open at a time, each of at most 128 KiB: from when it was taken until its
 * gst_webrtc_upload_signaller_refuse() or gst_webrtc_upload_signaller_end() has returned.
 *
 * Since: 0.1
 */
GST_WEBRTC_UPLOAD_API
G_DECLARE_INTERFACE(GstWebrtcUploadSignaller, gst_webrtc_upload_signaller, GST,
                    WEBRTC_UPLOAD_SIGNALLER, GObject)

/**
 * GstWebrtcUploadSignallerInterface:
 * @parent: the parent interface
 * @start: gst_webrtc_upload_signaller_start(); without one there is nothing to start
 * @stop: gst_webrtc_upload_signaller_stop(); without one there is nothing to stop
 * @answer: gst_webrtc_upload_signaller_answer(); has to be there
 * @refuse: gst_webrtc_upload_signaller_refuse(); without one the peer hears nothing
 * @end: gst_webrtc_upload_signaller_end(); without one nobody is told
 *
 * What an implementation brings.
 *
 * Since: 0.1
 */
struct _GstWebrtcUploadSignallerInterface {
  GTypeInterface parent;

  gboolean (*start)(GstWebrtcUploadSignaller* self, GError** error);
  void (*stop)(GstWebrtcUploadSignaller* self);
  void (*answer)(GstWebrtcUploadSignaller* self, const gchar* id, const gchar* sdp);
  void (*refuse)(GstWebrtcUploadSignaller* self, const gchar* id, const gchar* code,
                 const gchar* message);
  void (*end)(GstWebrtcUploadSignaller* self, const gchar* id, const gchar* code,
              const gchar* message);

  /*< private >*/
  gpointer reserved[4];
};

GST_WEBRTC_UPLOAD_API
gboolean gst_webrtc_upload_signaller_start(GstWebrtcUploadSignaller* self, GError** error);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_stop(GstWebrtcUploadSignaller* self);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_answer(GstWebrtcUploadSignaller* self, const gchar* id,
                                        const gchar* sdp);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_refuse(GstWebrtcUploadSignaller* self, const gchar* id,
                                        const gchar* code, const gchar* message);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_end(GstWebrtcUploadSignaller* self, const gchar* id,
                                     const gchar* code, const gchar* message);

GST_WEBRTC_UPLOAD_API
gboolean gst_webrtc_upload_signaller_offer(GstWebrtcUploadSignaller* self, const gchar* id,
                                           const gchar* sdp);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_withdraw(GstWebrtcUploadSignaller* self, const gchar* id);

GST_WEBRTC_UPLOAD_API
void gst_webrtc_upload_signaller_fail(GstWebrtcUploadSignaller* self, const gchar* message);

G_END_DECLS
