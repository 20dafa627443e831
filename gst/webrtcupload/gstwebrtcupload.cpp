// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcupload
 * @title: webrtcupload
 * @short_description: Receives a file that a WebRTC peer uploads over a data channel
 *
 * webrtcupload takes a data channel of a webrtcbin, puts the chunks of a file that arrive over it
 * (wire format v1, see docs/protocol.md) into a nameless spool file, and sends the file's bytes out
 * of its `src` pad, so that a demuxer or `decodebin` can be linked to it as to a `filesrc`.
 *
 * It never negotiates: the application does, or `webrtcuploadserver`. Take the element to PAUSED
 * before the offer is answered, so that it is there when the peer's channel appears.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 webrtcbin name=peer bundle-policy=max-bundle webrtcupload webrtcbin-name=peer !
 * decodebin ! videoconvert ! autovideosink
 * ]|
 * waits for an upload on the data channel "video_upload" of the webrtcbin called `peer` and plays
 * it. (Something has to do the signalling for `peer`; with gst-launch alone the line waits for
 * ever.)
 *
 * ## When bytes come out
 * By default when the upload is complete; `src` can then be used in pull mode as well, which makes
 * files cheap whose index is at the end. With #webrtcupload:progressive in push mode, as soon as
 * they and all before them have arrived.
 *
 * ## Messages
 * GST_MESSAGE_PROGRESS with code "upload" tells the start, the progress, and how the upload ended.
 * When it has ended, an element message `application/x-webrtcupload-stats` holds the final
 * #webrtcupload:stats. A failed upload is one GST_MESSAGE_ERROR, whose details hold the string
 * `code`; the data channel is closed then, so that the sender notices.
 */

#include "gst/webrtcupload/gstwebrtcupload.h"

#include <gst/webrtc/webrtc.h>

#include <limits>
#include <string>

#include "glib/debug.h"
#include "upload/upload_source.h"
#include "webrtc/channels.h"
#include "webrtc/workarounds.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

using webrtcupload::Duration;
using webrtcupload::UploadSource;
using webrtcupload::UploadState;
using Settings = webrtcupload::UploadSource::Settings;

struct _GstWebrtcUpload {
  GstBaseSrc parent;
  UploadSource* source;
};

G_DEFINE_FINAL_TYPE(GstWebrtcUpload, gst_webrtc_upload, GST_TYPE_BASE_SRC)
GST_ELEMENT_REGISTER_DEFINE(webrtcupload, "webrtcupload", GST_RANK_NONE, GST_TYPE_WEBRTC_UPLOAD)

namespace {

enum Property : guint {
  PROP_0,
  PROP_DATA_CHANNEL,
  PROP_WEBRTCBIN,
  PROP_WEBRTCBIN_NAME,
  PROP_CHANNEL_LABEL,
  PROP_MAX_SIZE,
  PROP_MAX_CHUNKS,
  PROP_MAX_CHUNK_SIZE,
  PROP_UPLOAD_TIMEOUT,
  PROP_IDLE_TIMEOUT,
  PROP_MIN_RATE,
  PROP_MAX_PIXELS,
  PROP_MAX_DURATION,
  PROP_MAX_FRAMES,
  PROP_MAX_STREAMS,
  PROP_QUOTA_INTERVAL,
  PROP_SPOOL_DIRECTORY,
  PROP_SPOOL_FD,
  PROP_PROGRESSIVE,
  PROP_BACKLOG_HIGH,
  PROP_BACKLOG_LOW,
  PROP_SOCKET_BUFFER_SIZE,
  PROP_ALLOW_ELEMENTS,
  PROP_DENY_ELEMENTS,
  PROP_STATE,
  PROP_STATS,
  PROP_COUNT,
};

// Bytes a read from `src` has by default. Larger ones would cost less, but decodebin gives up on a
// small file that is pushed to it in two or three buffers ("all streams without buffers"; seen with
// 48 KiB, from filesrc too).
constexpr guint kDefaultBlockSize = 16 * 1024;
// Lower marks would hold the peer back for single messages, higher ones would need their overload
// limit, 16 times as much, beyond what a process can have.
constexpr guint64 kMinBacklogMark = 64 * 1024;
constexpr guint64 kMaxBacklogMark = 1024ULL * 1024 * 1024;
// Durations are signed inside.
constexpr guint64 kMaxTime = G_MAXINT64;

GParamSpec* properties[PROP_COUNT];
UploadSource::Signals signals;
guint cancel_signal;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

UploadSource& source_of(gpointer element) { return *GST_WEBRTC_UPLOAD(element)->source; }

const char* or_empty(const char* text) { return text ? text : ""; }

Duration to_duration(const GValue* value) {
  return Duration(static_cast<Duration::rep>(g_value_get_uint64(value)));
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  UploadSource& source = source_of(object);
  if (id == PROP_DATA_CHANNEL) {
    source.set_data_channel(GST_WEBRTC_DATA_CHANNEL(g_value_get_object(value)));
    return;
  }
  if (id == PROP_WEBRTCBIN && g_value_get_object(value)) {
    webrtcupload::keep_channels(GST_ELEMENT(g_value_get_object(value)));
  }
  source.with_settings([&](Settings& settings) {
    ++settings.revision;
    switch (id) {
      case PROP_WEBRTCBIN:
        settings.webrtcbin = webrtcupload::ref_gst(GST_ELEMENT(g_value_get_object(value)));
        break;
      case PROP_WEBRTCBIN_NAME:
        settings.webrtcbin_name = or_empty(g_value_get_string(value));
        break;
      case PROP_CHANNEL_LABEL:
        settings.channel_label = or_empty(g_value_get_string(value));
        break;
      case PROP_MAX_SIZE:
        settings.limits.max_size = g_value_get_uint64(value);
        break;
      case PROP_MAX_CHUNKS:
        settings.limits.max_chunks = g_value_get_uint(value);
        break;
      case PROP_MAX_CHUNK_SIZE:
        settings.limits.max_chunk_size = g_value_get_uint(value);
        break;
      case PROP_UPLOAD_TIMEOUT:
        settings.limits.upload_timeout = to_duration(value);
        break;
      case PROP_IDLE_TIMEOUT:
        settings.limits.idle_timeout = to_duration(value);
        break;
      case PROP_MIN_RATE:
        settings.limits.min_rate = g_value_get_uint64(value);
        break;
      case PROP_MAX_PIXELS:
        settings.film.max_pixels = g_value_get_uint64(value);
        break;
      case PROP_MAX_DURATION:
        settings.film.max_duration = to_duration(value);
        break;
      case PROP_MAX_FRAMES:
        settings.film.max_frames = g_value_get_uint64(value);
        break;
      case PROP_MAX_STREAMS:
        settings.film.max_streams = g_value_get_uint(value);
        break;
      case PROP_QUOTA_INTERVAL:
        settings.quota_interval = to_duration(value);
        break;
      case PROP_SPOOL_DIRECTORY:
        settings.spool_directory = or_empty(g_value_get_string(value));
        break;
      case PROP_SPOOL_FD:
        settings.spool_fd = g_value_get_int(value);
        break;
      case PROP_PROGRESSIVE:
        settings.progressive = g_value_get_boolean(value);
        break;
      case PROP_BACKLOG_HIGH:
        settings.marks.high = g_value_get_uint64(value);
        break;
      case PROP_BACKLOG_LOW:
        settings.marks.low = g_value_get_uint64(value);
        break;
      case PROP_SOCKET_BUFFER_SIZE:
        settings.socket_buffer_size = g_value_get_int(value);
        break;
      case PROP_ALLOW_ELEMENTS:
        settings.allow_elements = or_empty(g_value_get_string(value));
        break;
      case PROP_DENY_ELEMENTS:
        settings.deny_elements = or_empty(g_value_get_string(value));
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  UploadSource& source = source_of(object);
  // Of the session, which has a lock of its own.
  if (id == PROP_STATE) {
    g_value_set_enum(value, static_cast<gint>(source.state()));
    return;
  }
  if (id == PROP_STATS) {
    GstStructure* stats = source.stats().release();
    webrtcupload::tell_workarounds(stats);
    g_value_take_boxed(value, stats);
    return;
  }
  source.with_settings([&](const Settings& settings) {
    switch (id) {
      case PROP_DATA_CHANNEL:
        g_value_set_object(value, settings.data_channel.get());
        break;
      case PROP_WEBRTCBIN:
        g_value_set_object(value, settings.webrtcbin.get());
        break;
      case PROP_WEBRTCBIN_NAME:
        g_value_set_string(value, settings.webrtcbin_name.c_str());
        break;
      case PROP_CHANNEL_LABEL:
        g_value_set_string(value, settings.channel_label.c_str());
        break;
      case PROP_MAX_SIZE:
        g_value_set_uint64(value, settings.limits.max_size);
        break;
      case PROP_MAX_CHUNKS:
        g_value_set_uint(value, settings.limits.max_chunks);
        break;
      case PROP_MAX_CHUNK_SIZE:
        g_value_set_uint(value, settings.limits.max_chunk_size);
        break;
      case PROP_UPLOAD_TIMEOUT:
        g_value_set_uint64(value, static_cast<guint64>(settings.limits.upload_timeout.count()));
        break;
      case PROP_IDLE_TIMEOUT:
        g_value_set_uint64(value, static_cast<guint64>(settings.limits.idle_timeout.count()));
        break;
      case PROP_MIN_RATE:
        g_value_set_uint64(value, settings.limits.min_rate);
        break;
      case PROP_MAX_PIXELS:
        g_value_set_uint64(value, settings.film.max_pixels);
        break;
      case PROP_MAX_DURATION:
        g_value_set_uint64(value, static_cast<guint64>(settings.film.max_duration.count()));
        break;
      case PROP_MAX_FRAMES:
        g_value_set_uint64(value, settings.film.max_frames);
        break;
      case PROP_MAX_STREAMS:
        g_value_set_uint(value, static_cast<guint>(settings.film.max_streams));
        break;
      case PROP_QUOTA_INTERVAL:
        g_value_set_uint64(value, static_cast<guint64>(settings.quota_interval.count()));
        break;
      case PROP_SPOOL_DIRECTORY:
        g_value_set_string(value, settings.spool_directory.empty()
                                      ? g_get_tmp_dir()
                                      : settings.spool_directory.c_str());
        break;
      case PROP_SPOOL_FD:
        g_value_set_int(value, settings.spool_fd);
        break;
      case PROP_PROGRESSIVE:
        g_value_set_boolean(value, settings.progressive);
        break;
      case PROP_BACKLOG_HIGH:
        g_value_set_uint64(value, settings.marks.high);
        break;
      case PROP_BACKLOG_LOW:
        g_value_set_uint64(value, settings.marks.low);
        break;
      case PROP_SOCKET_BUFFER_SIZE:
        g_value_set_int(value, settings.socket_buffer_size);
        break;
      case PROP_ALLOW_ELEMENTS:
        g_value_set_string(value, settings.allow_elements.c_str());
        break;
      case PROP_DENY_ELEMENTS:
        g_value_set_string(value, settings.deny_elements.c_str());
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
  });
}

void finalize(GObject* object) {
  delete GST_WEBRTC_UPLOAD(object)->source;
  G_OBJECT_CLASS(gst_webrtc_upload_parent_class)->finalize(object);
}

gboolean start(GstBaseSrc* element) { return source_of(element).start(); }

gboolean stop(GstBaseSrc* element) {
  source_of(element).stop();
  return TRUE;
}

gboolean unlock(GstBaseSrc* element) {
  source_of(element).set_flushing(true);
  return TRUE;
}

gboolean unlock_stop(GstBaseSrc* element) {
  source_of(element).set_flushing(false);
  return TRUE;
}

// Called inside the state change, so it must not wait for the upload.
gboolean get_size(GstBaseSrc* element, guint64* size) {
  const auto known = source_of(element).size();
  if (known) *size = *known;
  return known.has_value();
}

gboolean is_seekable(GstBaseSrc*) { return TRUE; }

gboolean query(GstBaseSrc* element, GstQuery* query) {
  gboolean answered = FALSE;
  if (source_of(element).answer(query, answered)) return answered;
  return GST_BASE_SRC_CLASS(gst_webrtc_upload_parent_class)->query(element, query);
}

GstFlowReturn create(GstBaseSrc* element, guint64 offset, guint length, GstBuffer** buffer) {
  return source_of(element).create(offset, length, buffer);
}

GstPadProbeReturn on_src_event(GstPad*, GstPadProbeInfo* info, gpointer element) {
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
    source_of(element).end_of_stream_sent();
  }
  return GST_PAD_PROBE_OK;
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  // Before what is downstream can choose any element: the pipeline goes to READY as a whole first.
  if (transition == GST_STATE_CHANGE_NULL_TO_READY) source_of(element).guard_decoding();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_webrtc_upload_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) source_of(element).let_pipeline_end();
  // Not on its way up, when downstream may have activated the pad before the element is PAUSED.
  if (GST_STATE_TRANSITION_NEXT(transition) <= GST_STATE_READY &&
      transition != GST_STATE_CHANGE_NULL_TO_READY) {
    source_of(element).end();
  }
  return result;
}

gboolean allow(GstWebrtcUpload*, const GstStructure*) { return TRUE; }
gboolean within_quota(GstWebrtcUpload*) { return TRUE; }

// Every handler has to agree; the first that does not is the last asked.
gboolean accumulate_agreement(GSignalInvocationHint*, GValue* result, const GValue* answer,
                              gpointer) {
  const gboolean agrees = g_value_get_boolean(answer);
  g_value_set_boolean(result, agrees);
  return agrees;
}

// Of a property that may be set as long as the element is below PAUSED.
constexpr auto kReadyFlags =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kReadFlags = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

void install_properties(GObjectClass* object_class) {
  const Settings defaults;
  const auto nanoseconds = [](Duration duration) { return static_cast<guint64>(duration.count()); };

  properties[PROP_DATA_CHANNEL] = g_param_spec_object(
      "data-channel", "Data channel",
      "The channel to receive from, for an application that has it already. May be set inside "
      "on-data-channel, and has to be for nothing to be lost: messages are kept from then on, also "
      "over a stop before the first byte has left src, until the property is set anew. "
      "Takes precedence over webrtcbin and webrtcbin-name, which then only serve back-pressure and "
      "noticing a lost connection",
      GST_TYPE_WEBRTC_DATA_CHANNEL, kReadyFlags);
  properties[PROP_WEBRTCBIN] = g_param_spec_object(
      "webrtcbin", "webrtcbin",
      "The webrtcbin whose first fitting channel is taken, in this pipeline or another",
      GST_TYPE_ELEMENT, kReadyFlags);
  properties[PROP_WEBRTCBIN_NAME] = g_param_spec_string(
      "webrtcbin-name", "Name of the webrtcbin",
      "Name of the webrtcbin whose first fitting channel is taken, looked up in the outermost bin "
      "around this element; used when neither data-channel nor webrtcbin is set",
      "", kReadyFlags);
  properties[PROP_CHANNEL_LABEL] = g_param_spec_string(
      "channel-label", "Channel label",
      "Label of the data channel to take. Of several elements with the same label on one webrtcbin "
      "each takes one channel",
      defaults.channel_label.c_str(), kReadyFlags);
  properties[PROP_MAX_SIZE] = g_param_spec_uint64(
      "max-size", "Maximum size", "Largest file accepted, in bytes (error too-large)", 1,
      G_MAXINT64, defaults.limits.max_size, kReadyFlags);
  properties[PROP_MAX_CHUNKS] =
      g_param_spec_uint("max-chunks", "Maximum number of chunks",
                        "Largest number of chunks accepted (error too-many-chunks). 0 = what a "
                        "file of max-size bytes needs in chunks of 16384 bytes, but at least 16384 "
                        "and at most 4194304",
                        0, G_MAXUINT, defaults.limits.max_chunks, kReadyFlags);
  properties[PROP_MAX_CHUNK_SIZE] =
      g_param_spec_uint("max-chunk-size", "Maximum size of a chunk",
                        "Largest payload of one chunk accepted, in bytes (error "
                        "chunk-too-large). More than 65528 never is, since a message with its "
                        "header has at most 65536",
                        1, G_MAXUINT, defaults.limits.max_chunk_size, kReadyFlags);
  properties[PROP_UPLOAD_TIMEOUT] = g_param_spec_uint64(
      "upload-timeout", "Upload time-out",
      "Time from the channel's opening within which the upload has to be complete, in nanoseconds "
      "(error upload-timeout; 0 = no limit)",
      0, kMaxTime, nanoseconds(defaults.limits.upload_timeout), kReadyFlags);
  properties[PROP_IDLE_TIMEOUT] = g_param_spec_uint64(
      "idle-timeout", "Idle time-out",
      "Time without a new valid chunk after which the upload fails, in nanoseconds; keepalives and "
      "repeated chunks do not count (error idle-timeout; 0 = no limit)",
      0, kMaxTime, nanoseconds(defaults.limits.idle_timeout), kReadyFlags);
  properties[PROP_MIN_RATE] = g_param_spec_uint64(
      "min-rate", "Minimum rate",
      "Bytes a second that have to arrive in new chunks, on average over each minute from the "
      "first chunk on (error too-slow; 0 = no limit). Time for which this side keeps the peer "
      "waiting does not count",
      0, G_MAXUINT64, defaults.limits.min_rate, kReadyFlags);
  properties[PROP_MAX_PIXELS] = g_param_spec_uint64(
      "max-pixels", "Maximum size of the picture",
      "Most pixels of a picture, width times height, that a decoder behind this element is given "
      "(error too-large-picture; 0 = no limit)",
      0, G_MAXUINT64, defaults.film.max_pixels, kReadyFlags);
  properties[PROP_MAX_DURATION] = g_param_spec_uint64(
      "max-duration", "Maximum duration",
      "Longest film accepted, in nanoseconds, by what it says and by its timestamps (error "
      "too-long; 0 = no limit)",
      0, kMaxTime, nanoseconds(defaults.film.max_duration), kReadyFlags);
  properties[PROP_MAX_FRAMES] = g_param_spec_uint64(
      "max-frames", "Maximum number of frames",
      "Most frames of a stream of pictures accepted, by what the film says and by counting (error "
      "too-many-frames; 0 = no limit)",
      0, G_MAXUINT64, defaults.film.max_frames, kReadyFlags);
  properties[PROP_MAX_STREAMS] = g_param_spec_uint(
      "max-streams", "Maximum number of streams",
      "Most streams of a film accepted: video, audio, text and others together (error "
      "too-many-streams; 0 = no limit)",
      0, G_MAXUINT, static_cast<guint>(defaults.film.max_streams), kReadyFlags);
  properties[PROP_QUOTA_INTERVAL] =
      g_param_spec_uint64("quota-interval", "Quota interval",
                          "Time between two emissions of check-quota, in nanoseconds (0 = only "
                          "before the first chunk is stored)",
                          0, kMaxTime, nanoseconds(defaults.quota_interval), kReadyFlags);
  properties[PROP_SPOOL_DIRECTORY] = g_param_spec_string(
      "spool-directory", "Spool directory",
      "Where the nameless spool file is made (error storage-failed when that fails); unset = the "
      "system's directory for temporary files",
      nullptr, kReadyFlags);
  properties[PROP_SPOOL_FD] =
      g_param_spec_int("spool-fd", "Spool file descriptor",
                       "An open file to keep the upload in, instead of one made in "
                       "spool-directory: for programs that "
                       "open no more files. It is emptied at each start and stays open (-1 = none)",
                       -1, G_MAXINT, -1, kReadyFlags);
  properties[PROP_PROGRESSIVE] =
      g_param_spec_boolean("progressive", "Progressive",
                           "Send bytes out as soon as they and all before them have arrived, "
                           "rather than when the upload "
                           "is complete; src is then used in push mode only",
                           defaults.progressive, kReadyFlags);
  properties[PROP_BACKLOG_HIGH] = g_param_spec_uint64(
      "backlog-high", "High mark of the backlog",
      "Bytes of received messages waiting to be stored above which the peer is held back. At 16 "
      "times as many, but not below 16 MiB, the upload fails, which can only be when the peer "
      "cannot be held back (error overloaded)",
      kMinBacklogMark, kMaxBacklogMark, defaults.marks.high, kReadyFlags);
  properties[PROP_BACKLOG_LOW] = g_param_spec_uint64(
      "backlog-low", "Low mark of the backlog",
      "Bytes of received messages waiting to be stored down to which the peer is held back", 0,
      kMaxBacklogMark, defaults.marks.low, kReadyFlags);
  properties[PROP_SOCKET_BUFFER_SIZE] =
      g_param_spec_int("socket-buffer-size", "Socket receive buffer",
                       "SO_RCVBUF for the sockets of webrtcbin's streams, in bytes (0 = leave as "
                       "they are). What the "
                       "kernel granted is in stats",
                       0, G_MAXINT / 2, defaults.socket_buffer_size, kReadyFlags);
  properties[PROP_ALLOW_ELEMENTS] = g_param_spec_string(
      "allow-elements", "Elements allowed",
      "Names of element factories, with commas between, that decodebin and its like may choose for "
      "the upload although they open sources of their own, such as hlsdemux: the peer then names "
      "files and addresses that this program opens (otherwise error not-a-video)",
      "", kReadyFlags);
  properties[PROP_DENY_ELEMENTS] = g_param_spec_string(
      "deny-elements", "Elements denied",
      "Names of element factories, with commas between, that decodebin and its like never choose "
      "for the upload",
      "", kReadyFlags);
  properties[PROP_STATE] = g_param_spec_enum("state", "State", "Where the upload is; notified",
                                             GST_TYPE_WEBRTC_UPLOAD_STATE,
                                             static_cast<gint>(UploadState::kIdle), kReadFlags);
  properties[PROP_STATS] = g_param_spec_boxed(
      "stats", "Statistics",
      "application/x-webrtcupload-stats of the current upload, or of the last one. Bytes: bytes, "
      "backlog, backlog-peak, socket-buffer-size (as the kernel tells it: twice what it granted); "
      "counts: chunks-received, chunks-announced, duplicates, rejected, ignored, keepalives; "
      "percent; throughput in bytes a second; nanoseconds: first-chunk-delay, transfer-time, "
      "processing-time; state; error-code and error-message after a failure; workarounds (what is "
      "done here because of faults of this GStreamer's webrtcbin)",
      GST_TYPE_STRUCTURE, kReadFlags);
  g_object_class_install_properties(object_class, PROP_COUNT, properties);
}

void cancel(GstWebrtcUpload* self) { self->source->cancel(); }

void install_signals(GObjectClass* object_class) {
  const GType type = G_OBJECT_CLASS_TYPE(object_class);
  /**
   * GstWebrtcUpload::authorize:
   * @element: the element
   * @request: a structure application/x-webrtcupload-request with the strings `channel-label` and
   * `channel-protocol`, the uints `chunks` and `first-chunk-size` (bytes), and the uint64
   * `estimated-size` (bytes)
   *
   * Whether the upload may begin. Emitted when the first chunk has arrived and nothing of it is
   * stored, on a thread where a handler may block; the peer is held back meanwhile.
   *
   * Returns: %FALSE to fail the upload with `unauthorized`
   */
  signals.authorize = g_signal_new_class_handler(
      "authorize", type, G_SIGNAL_RUN_LAST, G_CALLBACK(allow), accumulate_agreement, nullptr,
      nullptr, G_TYPE_BOOLEAN, 1, GST_TYPE_STRUCTURE | G_SIGNAL_TYPE_STATIC_SCOPE);
  /**
   * GstWebrtcUpload::check-quota:
   * @element: the element
   *
   * Whether the upload, or the pipeline's work on it, may go on. Emitted
   * after #GstWebrtcUpload::authorize, before anything is stored, and then every
   * #webrtcupload:quota-interval to the end of the processing, on a thread where a handler may
   * block.
   *
   * Returns: %FALSE to fail with `quota-exceeded`
   */
  signals.check_quota =
      g_signal_new_class_handler("check-quota", type, G_SIGNAL_RUN_LAST, G_CALLBACK(within_quota),
                                 accumulate_agreement, nullptr, nullptr, G_TYPE_BOOLEAN, 0);
  /**
   * GstWebrtcUpload::upload-complete:
   * @element: the element
   *
   * All bytes have arrived. Emitted on the upload's own thread, before the bytes (with
   * #webrtcupload:progressive, the EOS) leave; they wait for the handler, so it must not wait for
   * them.
   */
  signals.upload_complete = g_signal_new("upload-complete", type, G_SIGNAL_RUN_LAST, 0, nullptr,
                                         nullptr, nullptr, G_TYPE_NONE, 0);
  /**
   * GstWebrtcUpload::upload-failed:
   * @element: the element
   * @error: why, in the domain #GST_WEBRTC_UPLOAD_ERROR
   *
   * The upload has failed. Emitted on the upload's own thread, before the error message is posted.
   */
  signals.upload_failed =
      g_signal_new("upload-failed", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                   G_TYPE_NONE, 1, G_TYPE_ERROR | G_SIGNAL_TYPE_STATIC_SCOPE);
  /**
   * GstWebrtcUpload::cancel:
   * @element: the element
   *
   * Action: fails the upload with `cancelled`, or stops the reading of one that is complete.
   * Returns at once; does nothing when there is no upload, or it has ended.
   */
  cancel_signal = g_signal_new_class_handler(
      "cancel", type, static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
      G_CALLBACK(cancel), nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
}

}  // namespace

GType gst_webrtc_upload_state_get_type(void) {
  static const GEnumValue values[] = {
      {static_cast<gint>(UploadState::kIdle), "No chunk has arrived", "idle"},
      {static_cast<gint>(UploadState::kUploading), "Chunks arrive", "uploading"},
      {static_cast<gint>(UploadState::kComplete), "All chunks have arrived", "complete"},
      {static_cast<gint>(UploadState::kProcessing), "The file is being read", "processing"},
      {static_cast<gint>(UploadState::kDone), "The file has been read", "done"},
      {static_cast<gint>(UploadState::kError), "The upload failed", "error"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstWebrtcUploadState", values);
  return type;
}

static void gst_webrtc_upload_class_init(GstWebrtcUploadClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);
  install_signals(object_class);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_set_static_metadata(
      element_class, "WebRTC upload source", "Source/Network",
      "Receives a file that a WebRTC peer uploads over a data channel and sends out its bytes",
      "The webrtcupload authors");
  element_class->change_state = GST_DEBUG_FUNCPTR(change_state);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  auto* source_class = GST_BASE_SRC_CLASS(klass);
  source_class->start = GST_DEBUG_FUNCPTR(start);
  source_class->stop = GST_DEBUG_FUNCPTR(stop);
  source_class->unlock = GST_DEBUG_FUNCPTR(unlock);
  source_class->unlock_stop = GST_DEBUG_FUNCPTR(unlock_stop);
  source_class->get_size = GST_DEBUG_FUNCPTR(get_size);
  source_class->is_seekable = GST_DEBUG_FUNCPTR(is_seekable);
  source_class->query = GST_DEBUG_FUNCPTR(query);
  source_class->create = GST_DEBUG_FUNCPTR(create);

  gst_type_mark_as_plugin_api(GST_TYPE_WEBRTC_UPLOAD_STATE, GstPluginAPIFlags(0));
}

static void gst_webrtc_upload_init(GstWebrtcUpload* self) {
  auto* element = GST_BASE_SRC(self);
  self->source = new UploadSource(element, signals, properties[PROP_STATE]);
  gst_base_src_set_format(element, GST_FORMAT_BYTES);
  gst_base_src_set_blocksize(element, kDefaultBlockSize);
  gst_pad_add_probe(GST_BASE_SRC_PAD(element), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_src_event,
                    self, nullptr);
}
