/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The errors that webrtcupload's `upload-failed` signal hands out. Installed.
 */

#pragma once

#include <glib-object.h>

#include <webrtcupload/gstwebrtcuploadapi.h>

G_BEGIN_DECLS

/**
 * GST_WEBRTC_UPLOAD_ERROR:
 *
 * The domain of upload errors.
 *
 * Since: 0.1
 */
#define GST_WEBRTC_UPLOAD_ERROR (gst_webrtc_upload_error_quark())

GST_WEBRTC_UPLOAD_API
GQuark gst_webrtc_upload_error_quark(void);

/**
 * GstWebrtcUploadError:
 * @GST_WEBRTC_UPLOAD_ERROR_MALFORMED_MESSAGE: not a chunk: too short, text, or without a payload
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_CHUNKS: 0 chunks announced, or more than `max-chunks`
 * @GST_WEBRTC_UPLOAD_ERROR_TOTAL_CHANGED: a chunk announces another number of chunks than the first
 * one
 * @GST_WEBRTC_UPLOAD_ERROR_BAD_INDEX: a chunk's index is not below the number of chunks
 * @GST_WEBRTC_UPLOAD_ERROR_CHUNK_TOO_LARGE: a payload above `max-chunk-size`, or a message above
 * 65,536 bytes
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE: the file is above `max-size`
 * @GST_WEBRTC_UPLOAD_ERROR_CONFLICTING_CHUNK: a chunk came again with other bytes
 * @GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT: no new chunk for `idle-timeout`
 * @GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT: not complete within `upload-timeout`
 * @GST_WEBRTC_UPLOAD_ERROR_PEER_GONE: the channel or the connection closed before the last chunk
 * @GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED: a handler of `authorize` returned %FALSE
 * @GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED: a handler of `check-quota` returned %FALSE
 * @GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED: the spool file could not be made, written or read
 * @GST_WEBRTC_UPLOAD_ERROR_OVERLOADED: messages came faster than they could be stored and could not
 * be held back
 * @GST_WEBRTC_UPLOAD_ERROR_CANCELLED: the application emitted `cancel`
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_SLOW: within a minute fewer new bytes came than `min-rate` asks for
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE_PICTURE: the film's picture has more pixels than `max-pixels`
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_LONG: the film is longer than `max-duration`
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_FRAMES: the film has more frames than `max-frames`
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_STREAMS: the film has more streams than `max-streams`
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_MUCH_METADATA: the film's index or tags are too large, or nested too
 * deeply
 * @GST_WEBRTC_UPLOAD_ERROR_NOT_A_VIDEO: the file is a playlist or another text, see
 * `allow-elements`
 * @GST_WEBRTC_UPLOAD_ERROR_UNTRUSTED_PEER: the peer's certificate is not the one its session
 * description announced, see `check-certificate`
 * @GST_WEBRTC_UPLOAD_ERROR_CORRUPT_CHUNK: with v2, a block's checksum is wrong
 * @GST_WEBRTC_UPLOAD_ERROR_HASH_MISMATCH: with v2, the file's SHA-256 is not the one that the
 * client named, or it named two
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_FRAGMENTED: with v2, what has arrived has more than 4,096 gaps
 * @GST_WEBRTC_UPLOAD_ERROR_CREDIT_EXCEEDED: with v2, the client has sent more than twice `window`
 * ahead of what is stored
 * @GST_WEBRTC_UPLOAD_ERROR_UNKNOWN_UPLOAD: with v2, the client wants to join an upload that is not
 * this one
 * @GST_WEBRTC_UPLOAD_ERROR_UNEXPECTED_MESSAGE: with v2, a message that may not come at this point
 * @GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_CHANNELS: with v2, more channels than `max-connections`
 * @GST_WEBRTC_UPLOAD_ERROR_EMPTY_UPLOAD: of senders alone: there is not a byte to send
 * @GST_WEBRTC_UPLOAD_ERROR_UNKNOWN_SIZE: of senders alone: the number of chunks is not known
 * @GST_WEBRTC_UPLOAD_ERROR_SIZE_MISMATCH: with v2, the file has other bytes than the client said;
 * of senders, the source delivers more or less than it announced
 *
 * Why an upload failed. GError's message says it with the numbers. A code's nick in the registered
 * type is the `error-code` of error messages and statistics: "too-large".
 *
 * Since: 0.1
 */
typedef enum {
  GST_WEBRTC_UPLOAD_ERROR_MALFORMED_MESSAGE,
  GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_CHUNKS,
  GST_WEBRTC_UPLOAD_ERROR_TOTAL_CHANGED,
  GST_WEBRTC_UPLOAD_ERROR_BAD_INDEX,
  GST_WEBRTC_UPLOAD_ERROR_CHUNK_TOO_LARGE,
  GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE,
  GST_WEBRTC_UPLOAD_ERROR_CONFLICTING_CHUNK,
  GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT,
  GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT,
  GST_WEBRTC_UPLOAD_ERROR_PEER_GONE,
  GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED,
  GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED,
  GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED,
  GST_WEBRTC_UPLOAD_ERROR_OVERLOADED,
  GST_WEBRTC_UPLOAD_ERROR_CANCELLED,
  GST_WEBRTC_UPLOAD_ERROR_TOO_SLOW,
  GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE_PICTURE,
  GST_WEBRTC_UPLOAD_ERROR_TOO_LONG,
  GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_FRAMES,
  GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_STREAMS,
  GST_WEBRTC_UPLOAD_ERROR_TOO_MUCH_METADATA,
  GST_WEBRTC_UPLOAD_ERROR_NOT_A_VIDEO,
  GST_WEBRTC_UPLOAD_ERROR_UNTRUSTED_PEER,
  GST_WEBRTC_UPLOAD_ERROR_CORRUPT_CHUNK,
  GST_WEBRTC_UPLOAD_ERROR_HASH_MISMATCH,
  GST_WEBRTC_UPLOAD_ERROR_TOO_FRAGMENTED,
  GST_WEBRTC_UPLOAD_ERROR_CREDIT_EXCEEDED,
  GST_WEBRTC_UPLOAD_ERROR_UNKNOWN_UPLOAD,
  GST_WEBRTC_UPLOAD_ERROR_UNEXPECTED_MESSAGE,
  GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_CHANNELS,
  GST_WEBRTC_UPLOAD_ERROR_EMPTY_UPLOAD,
  GST_WEBRTC_UPLOAD_ERROR_UNKNOWN_SIZE,
  GST_WEBRTC_UPLOAD_ERROR_SIZE_MISMATCH,
} GstWebrtcUploadError;

#define GST_TYPE_WEBRTC_UPLOAD_ERROR (gst_webrtc_upload_error_get_type())

GST_WEBRTC_UPLOAD_API
GType gst_webrtc_upload_error_get_type(void);

G_END_DECLS
