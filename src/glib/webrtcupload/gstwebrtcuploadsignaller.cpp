// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The interface's signals, and the functions in front of what an implementation brings.

#include "webrtcupload/gstwebrtcuploadsignaller.h"

namespace {

enum Signal : guint { SIGNAL_OFFER, SIGNAL_WITHDRAW, SIGNAL_FAIL, SIGNAL_COUNT };
guint signals[SIGNAL_COUNT];

}  // namespace

G_DEFINE_INTERFACE(GstWebrtcUploadSignaller, gst_webrtc_upload_signaller, G_TYPE_OBJECT)

static void gst_webrtc_upload_signaller_default_init(GstWebrtcUploadSignallerInterface* iface) {
  /**
   * GstWebrtcUploadSignaller::offer:
   * @self: the signaller
   * @id: the signaller's name for this peer's session, of 1 to 256 bytes, which no other session
   * has
   * @sdp: the peer's session description, with all of its ICE candidates. One of more than 128 KiB
   * is refused as `InvalidOffer`
   *
   * The signaller emits this when a peer wants to upload, on any thread, from within
   * gst_webrtc_upload_signaller_start() on. The element returns at once.
   *
   * Returns: whether the offer was taken: %FALSE when the element is stopped, when @id is empty or
   * too long, and when 16 offers are open. Then nothing is said of it later. An offer is open until
   * its gst_webrtc_upload_signaller_refuse() or gst_webrtc_upload_signaller_end() has returned.
   *
   * Since: 0.1
   */
  signals[SIGNAL_OFFER] = g_signal_new("offer", G_TYPE_FROM_INTERFACE(iface), G_SIGNAL_RUN_LAST, 0,
                                       g_signal_accumulator_true_handled, nullptr, nullptr,
                                       G_TYPE_BOOLEAN, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstWebrtcUploadSignaller::withdraw:
   * @self: the signaller
   * @id: the session's name, as in the offer
   *
   * The signaller emits this when the peer has ended its session or has left, as far as the
   * signaller can tell, on any thread. The element returns at once. Without this, the element
   * notices by itself when the peer's connection ends. Of a session that there is not, or not any
   * more, it does nothing.
   *
   * Since: 0.1
   */
  signals[SIGNAL_WITHDRAW] =
      g_signal_new("withdraw", G_TYPE_FROM_INTERFACE(iface), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr,
                   nullptr, G_TYPE_NONE, 1, G_TYPE_STRING);
  /**
   * GstWebrtcUploadSignaller::fail:
   * @self: the signaller
   * @message: a sentence that says what has happened; it is cut after 1,024 bytes
   *
   * The signaller emits this when it can bring no more offers, on any thread. The element returns
   * at once. It posts an error, but only a warning when an upload has begun, which goes on. The
   * first one after gst_webrtc_upload_signaller_start() counts; of @message at most 1,024 bytes do.
   *
   * Since: 0.1
   */
  signals[SIGNAL_FAIL] = g_signal_new("fail", G_TYPE_FROM_INTERFACE(iface), G_SIGNAL_RUN_LAST, 0,
                                      nullptr, nullptr, nullptr, G_TYPE_NONE, 1, G_TYPE_STRING);
}

/**
 * gst_webrtc_upload_signaller_start:
 * @self: the signaller
 * @error: where to say why it cannot
 *
 * Begins to take offers. Called by the element within its change from READY to PAUSED, on the
 * thread that does that: it has to return soon, and must not change the element's state.
 *
 * Returns: whether it has begun; otherwise @error is set, and the element does not start
 *
 * Since: 0.1
 */
gboolean gst_webrtc_upload_signaller_start(GstWebrtcUploadSignaller* self, GError** error) {
  g_return_val_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self), FALSE);
  const GstWebrtcUploadSignallerInterface* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(self);
  return !iface->start || iface->start(self, error);
}

/**
 * gst_webrtc_upload_signaller_stop:
 * @self: the signaller
 *
 * Takes no more offers. Called by the element within its change from PAUSED to READY, after a
 * successful gst_webrtc_upload_signaller_start(), on the thread that does that: it has to return
 * soon, and must not change the element's state. Every session has ended by then; its
 * gst_webrtc_upload_signaller_end() comes after this only if a handler of the application's was
 * running for longer than 200 ms.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_stop(GstWebrtcUploadSignaller* self) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  const GstWebrtcUploadSignallerInterface* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(self);
  if (iface->stop) iface->stop(self);
}

/**
 * gst_webrtc_upload_signaller_answer:
 * @self: the signaller
 * @id: the session's name, as in the offer
 * @sdp: the answer, with all of the element's ICE candidates
 *
 * Brings the peer its answer. Called by the element, on the thread of its signal `peer-added`. The
 * peer's time to begin, `connect-timeout`, runs already. Has to be implemented: the element does
 * not start otherwise.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_answer(GstWebrtcUploadSignaller* self, const gchar* id,
                                        const gchar* sdp) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  const GstWebrtcUploadSignallerInterface* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(self);
  g_return_if_fail(iface->answer != nullptr);
  iface->answer(self, id, sdp);
}

/**
 * gst_webrtc_upload_signaller_refuse:
 * @self: the signaller
 * @id: the session's name, as in the offer
 * @code: a word for programs: `InvalidOffer`, `TooManySessions` (there is a peer already: the same
 * offer may be taken later), `NoPortFree` (likewise), `Withdrawn`, `Stopped`, `InternalError`
 * @message: a sentence for the person who wrote the peer
 *
 * Tells the peer that it gets no answer. Called by the element, on the thread of its signal
 * `peer-added`. An offer with the name of a session that there is already is refused as well; the
 * session goes on.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_refuse(GstWebrtcUploadSignaller* self, const gchar* id,
                                        const gchar* code, const gchar* message) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  const GstWebrtcUploadSignallerInterface* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(self);
  if (iface->refuse) iface->refuse(self, id, code, message);
}

/**
 * gst_webrtc_upload_signaller_end:
 * @self: the signaller
 * @id: the session's name, as in the offer
 * @code: (nullable): why the element has sent the peer away, or why no upload has begun:
 * `connect-timeout`, `peer-gone`, `untrusted-peer` or `too-many-channels`; otherwise %NULL
 * @message: (nullable): a sentence with the reason, if there is @code
 *
 * A session that was answered has ended: its peer has left or was withdrawn, or the element stops.
 * How its upload went is told by the element's `webrtcupload`. Called by the element, on the thread
 * of its signal `peer-added`, after `peer-removed`.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_end(GstWebrtcUploadSignaller* self, const gchar* id,
                                     const gchar* code, const gchar* message) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  const GstWebrtcUploadSignallerInterface* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(self);
  if (iface->end) iface->end(self, id, code, message);
}

/**
 * gst_webrtc_upload_signaller_offer:
 * @self: the signaller
 * @id: the signaller's name for this peer's session
 * @sdp: the peer's session description
 *
 * For implementations: emits #GstWebrtcUploadSignaller::offer.
 *
 * Returns: whether the offer was taken
 *
 * Since: 0.1
 */
gboolean gst_webrtc_upload_signaller_offer(GstWebrtcUploadSignaller* self, const gchar* id,
                                           const gchar* sdp) {
  g_return_val_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self), FALSE);
  gboolean taken = FALSE;
  g_signal_emit(self, signals[SIGNAL_OFFER], 0, id, sdp, &taken);
  return taken;
}

/**
 * gst_webrtc_upload_signaller_withdraw:
 * @self: the signaller
 * @id: the session's name, as in the offer
 *
 * For implementations: emits #GstWebrtcUploadSignaller::withdraw.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_withdraw(GstWebrtcUploadSignaller* self, const gchar* id) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  g_signal_emit(self, signals[SIGNAL_WITHDRAW], 0, id);
}

/**
 * gst_webrtc_upload_signaller_fail:
 * @self: the signaller
 * @message: a sentence that says what has happened
 *
 * For implementations: emits #GstWebrtcUploadSignaller::fail.
 *
 * Since: 0.1
 */
void gst_webrtc_upload_signaller_fail(GstWebrtcUploadSignaller* self, const gchar* message) {
  g_return_if_fail(GST_IS_WEBRTC_UPLOAD_SIGNALLER(self));
  g_signal_emit(self, signals[SIGNAL_FAIL], 0, message);
}
