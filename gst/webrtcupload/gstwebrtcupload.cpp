// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcupload
 * @title: webrtcupload
 * @short_description: Receives a file that a WebRTC peer uploads over a data channel
 *
 * webrtcupload takes a data channel of a webrtcbin, puts the chunks of a file that arrive over it
 * (wire formats v1 and v2, see docs/protocol.md) into a nameless spool file, and sends the file's
 * bytes out of its `src` pad, so that a demuxer or `decodebin` can be linked to it as to a
 * `filesrc`. The channel's `protocol` field chooses the format. An upload in v2 may come over
 * several channels, and go on over a new one when the connection is lost.
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
 * GST_MESSAGE_PROGRESS with code "upload" tells one start, the progress, and one end: complete,
 * error or canceled.
 * GST_MESSAGE_DURATION_CHANGED tells that the size is known, or with #webrtcupload:progressive that
 * the estimate has changed.
 * When it has ended, an element message `application/x-webrtcupload-stats` holds the final
 * #webrtcupload:stats. A failed upload is one GST_MESSAGE_ERROR, whose details hold the string
 * `error-code`; the data channel is closed then, so that the sender notices.
 */

#include "gst/webrtcupload/gstwebrtcupload.h"

#include <gst/webrtc/webrtc.h>

#include "core/channel_labels.h"
#include "glib/debug.h"
#include "gst/webrtcupload/channel_properties.h"
#include "gst/webrtcupload/prepare_stop_action.h"
#include "gst/webrtcupload/upload_settings.h"
#include "upload/upload_source.h"
#include "webrtc/workarounds.h"
#include "webrtcupload/gstwebrtcuploaderror.h"
#include "webrtcupload/gstwebrtcuploadstate.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

using webrtcupload::kReadFlags;
using webrtcupload::UploadSource;
using webrtcupload::UploadState;
using Settings = webrtcupload::UploadSource::Settings;
using SettingsProperties = webrtcupload::SettingsProperties<Settings>;

struct _GstWebrtcUpload {
  GstBaseSrc parent;
  UploadSource* source;
};

G_DEFINE_FINAL_TYPE(GstWebrtcUpload, gst_webrtc_upload, GST_TYPE_BASE_SRC)
GST_ELEMENT_REGISTER_DEFINE(webrtcupload, "webrtcupload", GST_RANK_NONE, GST_TYPE_WEBRTC_UPLOAD)

namespace {

// The two enumerations are one: the public one in C, and the core's.
static_assert(static_cast<int>(UploadState::kIdle) == GST_WEBRTC_UPLOAD_STATE_IDLE);
static_assert(static_cast<int>(UploadState::kProcessing) == GST_WEBRTC_UPLOAD_STATE_PROCESSING);
static_assert(static_cast<int>(UploadState::kError) == GST_WEBRTC_UPLOAD_STATE_ERROR);

enum Property : guint {
  PROP_STATE = webrtcupload::PROP_AFTER_CHANNEL,
  PROP_STATS,
  // And from here on those that `settings_properties` has.
  PROP_FIRST_SETTING,
};

// Bytes a read from `src` has by default. Larger ones would cost less, but decodebin gives up on a
// small file that is pushed to it in two or three buffers ("all streams without buffers"; seen with
// 48 KiB, from filesrc too).
constexpr guint kDefaultBlockSize = 16 * 1024;
GParamSpec* state_property;
SettingsProperties* settings_properties;
UploadSource::Signals signals;
guint cancel_signal;
guint attach_signal;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

UploadSource& source_of(gpointer element) { return *GST_WEBRTC_UPLOAD(element)->source; }

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  UploadSource& source = source_of(object);
  if (id == webrtcupload::PROP_DATA_CHANNEL) {
    source.set_data_channel(GST_WEBRTC_DATA_CHANNEL(g_value_get_object(value)));
    return;
  }
  webrtcupload::ChannelPropertyChange channel_change(id, value, pspec);
  const bool is_known = source.with_settings([&](Settings& settings) {
    // What no upload begins with makes no new one.
    if (id != webrtcupload::PROP_END_PIPELINE) ++settings.revision;
    if (id >= webrtcupload::PROP_AFTER_CHANNEL) {
      return settings_properties->set(settings, id, value, pspec);
    }
    channel_change.apply(settings);
    return true;
  });
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
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
  const bool is_known = source.with_settings([&](const Settings& settings) {
    if (id >= webrtcupload::PROP_AFTER_CHANNEL) {
      return settings_properties->get(settings, id, value);
    }
    webrtcupload::get_channel_property(settings, id, value);
    return true;
  });
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
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

// Nobody downstream can offer memory for bytes that are read from a file. And a `queue` may never
// answer: where it drops a query, since what is downstream of it has ended, GStreamer (1.22 and
// later) leaves whoever has asked waiting.
GstPadProbeReturn on_src_query(GstPad*, GstPadProbeInfo* info, gpointer) {
  return GST_QUERY_TYPE(GST_PAD_PROBE_INFO_QUERY(info)) == GST_QUERY_ALLOCATION ? GST_PAD_PROBE_DROP
                                                                                : GST_PAD_PROBE_OK;
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

void install_properties(GObjectClass* object_class) {
  webrtcupload::install_prepare_stop(object_class);
  webrtcupload::install_channel_properties(object_class, webrtcupload::kUploadLabel,
                                           GST_PARAM_MUTABLE_READY);
  settings_properties = new SettingsProperties(object_class, PROP_FIRST_SETTING);
  webrtcupload::add_upload_settings(*settings_properties);
  state_property = g_param_spec_enum("state", "State", "Where the upload is; notified",
                                     GST_TYPE_WEBRTC_UPLOAD_STATE,
                                     static_cast<gint>(UploadState::kIdle), kReadFlags);
  g_object_class_install_property(object_class, PROP_STATE, state_property);
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "application/x-webrtcupload-stats of the current upload, or of the last one. Bytes: "
          "bytes, "
          "backlog, backlog-peak, socket-buffer-size (as the kernel tells it: twice what it "
          "granted); "
          "counts: chunks-received, chunks-announced, duplicates, rejected, ignored, keepalives; "
          "protocol (v1 or v2); with v2 connections, interrupted, name, content-type and sha256; "
          "percent; throughput in bytes a second; nanoseconds: first-chunk-delay, transfer-time, "
          "processing-time; state; error-code and error-message after a failure; workarounds (what "
          "is "
          "done here because of faults of this GStreamer's webrtcbin)",
          GST_TYPE_STRUCTURE, kReadFlags));
}

void cancel(GstWebrtcUpload* self) { self->source->cancel(); }
gboolean attach(GstWebrtcUpload* self, GstElement* webrtcbin) {
  return self->source->attach(webrtcbin);
}

void install_signals(GObjectClass* object_class) {
  const GType type = G_OBJECT_CLASS_TYPE(object_class);
  /**
   * GstWebrtcUpload::authorize:
   * @element: the element
   * @request: a structure application/x-webrtcupload-request with the strings `channel-label` and
   * `channel-protocol`, the uints `chunks-announced` and `first-chunk-size` (bytes), and the uint64
   * `estimated-size` (bytes). With v2 the first two numbers are 0, and there are, as the client
   * says, the strings `name`, `content-type` and, if it names one, `sha256`, and, if it knows it,
   * the uint64 `size`
   *
   * Whether the upload may begin. Emitted when the first chunk, or with v2 the client's hello, has
   * arrived and nothing is stored, on a thread where a handler may block; the peer is held back
   * meanwhile.
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
  /**
   * GstWebrtcUpload::attach:
   * @element: the element
   * @webrtcbin: the peer's webrtcbin, before its answer (or, if it offers, its offer) is made
   *
   * Action: with #webrtcupload:wait-for-peer, the element takes the first fitting channel of this
   * webrtcbin from now on, and no longer one of a webrtcbin attached before. Once an upload
   * in v2 has begun, with that property or without: channels of this webrtcbin may join the upload,
   * as may those of the webrtcbins before. May be emitted in PAUSED and PLAYING, from any thread
   * but a handler of webrtcbin's on-data-channel, and any number of times.
   *
   * Returns: %TRUE if the element takes channels of @webrtcbin now; %FALSE if it is not started,
   * does not wait for a peer, has an upload in v1 already, or @webrtcbin is none
   */
  attach_signal = g_signal_new_class_handler(
      "attach", type, static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
      G_CALLBACK(attach), nullptr, nullptr, nullptr, G_TYPE_BOOLEAN, 1, GST_TYPE_ELEMENT);
}

}  // namespace

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
  // Python and its like know a type by its name once somebody has registered it.
  g_type_ensure(GST_TYPE_WEBRTC_UPLOAD_ERROR);
}

static void gst_webrtc_upload_init(GstWebrtcUpload* self) {
  auto* element = GST_BASE_SRC(self);
  self->source = new UploadSource(element, signals, state_property);
  gst_base_src_set_format(element, GST_FORMAT_BYTES);
  gst_base_src_set_blocksize(element, kDefaultBlockSize);
  gst_pad_add_probe(GST_BASE_SRC_PAD(element), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_src_event,
                    self, nullptr);
  gst_pad_add_probe(GST_BASE_SRC_PAD(element), GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, on_src_query,
                    nullptr, nullptr);
}
