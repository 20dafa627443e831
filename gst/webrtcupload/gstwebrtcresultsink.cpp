// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcresultsink
 * @title: webrtcresultsink
 * @short_description: sends what was found in each frame over a WebRTC data channel
 * @see_also: webrtcupload, webrtcbin
 *
 * Makes a JSON result of each video frame it is given and sends it to the peer over the results
 * channel, a data channel that the peer opens (see docs/protocol.md). What was found in the frame
 * it takes from the frame's #GstVideoRegionOfInterestMeta and from the element messages of
 * analysers upstream of it (`facedetect`, `zbar`, `motioncells`). Buffers of text or JSON are
 * passed through as the output's value.
 *
 * The channel is the application's (#webrtcresultsink:data-channel), or the first one with the
 * label #webrtcresultsink:channel-label that the peer opens on the webrtcbin it is given
 * (#webrtcresultsink:webrtcbin) or finds by name (#webrtcresultsink:webrtcbin-name).
 *
 * Normally every frame has its result, and the pipeline waits while the peer does not keep up. With
 * #webrtcresultsink:realtime results are dropped instead, and frames are paced by their timestamps.
 *
 * At EOS the last message tells the peer that processing is complete; EOS is posted when it has
 * been delivered and the channel is closed. An error elsewhere in the pipeline is told to the peer
 * in the same way, as its end. On the bus, before EOS:
 *
 * * an element message `application/x-webrtcresults-delivered`: `delivered` (gboolean, whether the
 *   peer has everything), `error-message` (string, if not), and counts as #webrtcresultsink:stats.
 * * `GST_MESSAGE_WARNING` with the `error-code` "peer-gone" in its details when the peer or its
 *   channel goes before the end. Upstream is then told EOS.
 * * `GST_MESSAGE_ERROR` with "untrusted-peer" there when the peer is not who it should be, see
 *   #webrtcresultsink:check-certificate. It is sent nothing, and there is no EOS.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 webrtcupload webrtcbin-name=pc ! decodebin ! videoconvert ! facedetect \
 *     ! webrtcresultsink webrtcbin-name=pc  webrtcbin name=pc bundle-policy=max-bundle
 * ]| Once an application has answered a peer's offer with this webrtcbin, the peer uploads a video
 * and receives the faces in each of its frames.
 */

#include "gst/webrtcupload/gstwebrtcresultsink.h"

#include <gst/webrtc/webrtc.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/channel_labels.h"
#include "core/name_list.h"
#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "gst/webrtcupload/channel_properties.h"
#include "gst/webrtcupload/prepare_stop_action.h"
#include "gst/webrtcupload/result_settings.h"
#include "results/result_session.h"
#include "webrtc/channel_owner.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/pipeline_eos.h"
#include "webrtc/workarounds.h"

#define GST_CAT_DEFAULT webrtcupload::debug::results()

namespace {

using webrtcupload::ChannelSettings;
using webrtcupload::GstPtr;
using webrtcupload::kPlayingFlags;
using webrtcupload::kReadFlags;
using webrtcupload::kReadyFlags;
using webrtcupload::ResultSession;
using webrtcupload::ResultSettings;
using SettingsProperties = webrtcupload::SettingsProperties<ResultSettings>;

constexpr const char* kDefaultDataOutput = "*";

enum Property : guint {
  PROP_DATA_OUTPUT = webrtcupload::PROP_AFTER_CHANNEL,
  PROP_SHA256,
  PROP_REALTIME,
  PROP_STATS,
  // And from here on those that `settings_properties` has.
  PROP_FIRST_SETTING,
};

SettingsProperties* settings_properties;

enum { SIGNAL_CONTROL, SIGNAL_FINISH, SIGNAL_HURRY, N_SIGNALS };
guint signals[N_SIGNALS];

// What the element is besides a GstBaseSink. The object lock protects all of it, but for `paced`.
struct SinkState {
  ChannelSettings channel{.channel_label = webrtcupload::kResultsLabel};
  std::string data_output = kDefaultDataOutput;
  std::string sha256;
  ResultSettings settings;
  // From READY->PAUSED to PAUSED->READY.
  std::shared_ptr<ResultSession> session;

  // The streaming thread's: whether the first frame has said when the others are due.
  bool paced = false;
};

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-raw(ANY); text/x-raw, format = (string) utf8; application/x-json"));

}  // namespace

struct _GstWebrtcResultSink {
  GstBaseSink parent;
  SinkState* state;
};

#define gst_webrtc_result_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE(GstWebrtcResultSink, gst_webrtc_result_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(webrtcresultsink, "webrtcresultsink", GST_RANK_NONE,
                            GST_TYPE_WEBRTC_RESULT_SINK)

namespace {

std::shared_ptr<ResultSession> current_session(GstWebrtcResultSink* self) {
  GST_OBJECT_LOCK(self);
  auto session = self->state->session;
  GST_OBJECT_UNLOCK(self);
  return session;
}

// READY->PAUSED, on the thread that changes the state. False when an error has been posted.
bool start_session(GstWebrtcResultSink* self) {
  GST_OBJECT_LOCK(self);
  GstPtr<GstElement> webrtcbin = webrtcupload::ref_gst(self->state->channel.webrtcbin.get());
  const auto channel = webrtcupload::ref_gst(self->state->channel.data_channel.get());
  const std::string name = self->state->channel.webrtcbin_name;
  ResultSettings settings = self->state->settings;
  settings.channel_label = self->state->channel.channel_label;
  settings.data_output = webrtcupload::split_names(self->state->data_output);
  const std::string sha256 = self->state->sha256;
  GST_OBJECT_UNLOCK(self);

  if (!webrtcupload::resolve_webrtcbin(GST_ELEMENT(self), name, webrtcbin)) return false;
  GstPtr<GstElement> server;
  if (!webrtcbin && !channel) server = webrtcupload::find_upload_server(GST_ELEMENT(self));
  if (!webrtcbin && !channel && !server) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("There is nothing to send over: set one of the properties "
                       "\"data-channel\", \"webrtcbin\" and \"webrtcbin-name\", or have a "
                       "webrtcuploadserver in the same pipeline."),
                      (nullptr));
    return false;
  }

  // The session calls only while the sink is alive.
  auto session =
      ResultSession::create(GST_BASE_SINK(self), settings, [self](const std::string& text) {
        g_signal_emit(self, signals[SIGNAL_CONTROL], 0, text.c_str());
      });
  if (channel && !session->adopt(channel.get())) {
    GST_ELEMENT_ERROR(self, RESOURCE, BUSY,
                      ("The data channel that was set is used by another element."), (nullptr));
    return false;
  }
  if (webrtcbin) session->attach(webrtcbin.get());
  if (server) session->follow(server.get());
  session->set_sha256(sha256);
  session->watch_bus();
  self->state->paced = false;
  GST_OBJECT_LOCK(self);
  self->state->session = std::move(session);
  GST_OBJECT_UNLOCK(self);
  return true;
}

void stop_session(GstWebrtcResultSink* self) {
  GST_OBJECT_LOCK(self);
  const auto session = std::exchange(self->state->session, nullptr);
  self->state->sha256.clear();
  GST_OBJECT_UNLOCK(self);
  if (session) session->stop();
}

}  // namespace

static GstStateChangeReturn gst_webrtc_result_sink_change_state(GstElement* element,
                                                                GstStateChange transition) {
  auto* self = GST_WEBRTC_RESULT_SINK(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start_session(self)) {
    return GST_STATE_CHANGE_FAILURE;
  }
  // Before a webrtcbin in the same pipeline goes to READY.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED &&
       webrtcupload::is_shutting_down(element))) {
    if (const auto session = current_session(self)) session->cancel();
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
    if (const auto session = current_session(self)) session->let_pipeline_end();
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE)) {
    stop_session(self);
  }
  return result;
}

static gboolean gst_webrtc_result_sink_set_caps(GstBaseSink* sink, GstCaps* caps) {
  const auto session = current_session(GST_WEBRTC_RESULT_SINK(sink));
  return session && session->set_caps(caps);
}

static GstFlowReturn gst_webrtc_result_sink_render(GstBaseSink* sink, GstBuffer* buffer) {
  const auto session = current_session(GST_WEBRTC_RESULT_SINK(sink));
  return session ? session->render(buffer) : GST_FLOW_FLUSHING;
}

// The upload may have taken any time after the pipeline began to play, so in realtime mode the
// frames are due from the first one's arrival on.
static void gst_webrtc_result_sink_get_times(GstBaseSink* sink, GstBuffer* buffer,
                                             GstClockTime* start, GstClockTime* end) {
  auto* self = GST_WEBRTC_RESULT_SINK(sink);
  GST_BASE_SINK_CLASS(parent_class)->get_times(sink, buffer, start, end);
  if (self->state->paced || !GST_CLOCK_TIME_IS_VALID(*start) || !gst_base_sink_get_sync(sink)) {
    return;
  }
  GST_OBJECT_LOCK(self);
  const bool realtime = self->state->settings.realtime;
  const bool plays = GST_STATE(self) == GST_STATE_PLAYING;
  GST_OBJECT_UNLOCK(self);
  const GstClockTime due = gst_segment_to_running_time(&sink->segment, GST_FORMAT_TIME, *start);
  if (!realtime || !GST_CLOCK_TIME_IS_VALID(due)) return;
  self->state->paced = true;
  const GstClockTime now = plays ? gst_element_get_current_running_time(GST_ELEMENT(sink)) : 0;
  if (!GST_CLOCK_TIME_IS_VALID(now)) return;
  gst_base_sink_set_ts_offset(sink, GST_CLOCK_DIFF(due, now));
}

static gboolean gst_webrtc_result_sink_event(GstBaseSink* sink, GstEvent* event) {
  auto* self = GST_WEBRTC_RESULT_SINK(sink);
  const auto session = current_session(self);
  if (session && GST_EVENT_TYPE(event) == GST_EVENT_EOS && !session->end_of_stream()) {
    gst_event_unref(event);
    return FALSE;
  }
  if (session && GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
    self->state->paced = false;
    session->flushed();
  }
  const bool ends = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
  const gboolean handled = GST_BASE_SINK_CLASS(parent_class)->event(sink, event);
  if (ends && handled) webrtcupload::remind_that_it_plays(GST_ELEMENT(sink));
  return handled;
}

// GstBaseSink calls this with the preroll lock held, when it pauses, flushes or stops. The call
// before it, unlock, is for sinks that hold that lock while they wait.
static gboolean gst_webrtc_result_sink_unlock_stop(GstBaseSink* sink) {
  if (const auto session = current_session(GST_WEBRTC_RESULT_SINK(sink))) session->interrupt();
  return TRUE;
}

// Frames are only looked at when they become images, by elements that know their layout.
static gboolean gst_webrtc_result_sink_propose_allocation(GstBaseSink*, GstQuery* query) {
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  gst_query_add_allocation_meta(query, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE, nullptr);
  return TRUE;
}

static void gst_webrtc_result_sink_finish(GstWebrtcResultSink* self, const char* termination_reason,
                                          const char* message) {
  if (const auto session = current_session(self)) {
    session->finish(termination_reason ? termination_reason : "", message ? message : "");
  }
}

static void gst_webrtc_result_sink_hurry(GstWebrtcResultSink* self) {
  if (const auto session = current_session(self)) session->hurry();
}

static void gst_webrtc_result_sink_set_property(GObject* object, guint id, const GValue* value,
                                                GParamSpec* pspec) {
  auto* self = GST_WEBRTC_RESULT_SINK(object);
  SinkState& state = *self->state;
  webrtcupload::ChannelPropertyChange channel_change(id, value, pspec);
  std::string data_output;
  std::string sha256;
  if (id == PROP_DATA_OUTPUT) webrtcupload::store_value(value, pspec, data_output);
  if (id == PROP_SHA256) webrtcupload::store_value(value, pspec, sha256);
  bool is_known = true;
  GST_OBJECT_LOCK(self);
  if (id < webrtcupload::PROP_AFTER_CHANNEL) {
    channel_change.apply(state.channel);
  } else if (id == PROP_DATA_OUTPUT) {
    state.data_output = data_output;
  } else if (id == PROP_SHA256) {
    state.sha256 = sha256;
  } else if (id == PROP_REALTIME) {
    state.settings.realtime = g_value_get_boolean(value);
  } else {
    is_known = settings_properties->set(state.settings, id, value, pspec);
  }
  const auto session = state.session;
  GST_OBJECT_UNLOCK(self);

  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  if (id == PROP_REALTIME) {
    gst_base_sink_set_sync(GST_BASE_SINK(self), g_value_get_boolean(value));
    gst_base_sink_set_qos_enabled(GST_BASE_SINK(self), g_value_get_boolean(value));
  }
  if (session && id == PROP_DATA_OUTPUT) {
    session->set_data_output(webrtcupload::split_names(data_output));
  }
  if (session && id == PROP_SHA256) session->set_sha256(sha256);
  if (session && id == webrtcupload::PROP_DATA_CHANNEL) {
    if (auto* given = static_cast<GstWebRTCDataChannel*>(g_value_get_object(value))) {
      session->adopt(given);
    }
  }
}

static void gst_webrtc_result_sink_get_property(GObject* object, guint id, GValue* value,
                                                GParamSpec* pspec) {
  auto* self = GST_WEBRTC_RESULT_SINK(object);
  if (id == PROP_STATS) {
    const auto session = current_session(self);
    GstStructure* stats = session ? session->stats()
                                  : gst_structure_new_empty("application/x-webrtcresultsink-stats");
    webrtcupload::tell_workarounds(stats);
    g_value_take_boxed(value, stats);
    return;
  }
  const SinkState& state = *self->state;
  bool is_known = true;
  GST_OBJECT_LOCK(self);
  if (id < webrtcupload::PROP_AFTER_CHANNEL) {
    webrtcupload::get_channel_property(state.channel, id, value);
  } else if (id == PROP_DATA_OUTPUT) {
    webrtcupload::load_value(state.data_output, value);
  } else if (id == PROP_SHA256) {
    webrtcupload::load_value(state.sha256, value);
  } else if (id == PROP_REALTIME) {
    webrtcupload::load_value(state.settings.realtime, value);
  } else {
    is_known = settings_properties->get(state.settings, id, value);
  }
  GST_OBJECT_UNLOCK(self);
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_webrtc_result_sink_finalize(GObject* object) {
  delete GST_WEBRTC_RESULT_SINK(object)->state;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_webrtc_result_sink_init(GstWebrtcResultSink* self) {
  self->state = new SinkState;
  webrtcupload::watch_channel_owners();
  // Files are analysed as fast as it goes. And no part of a pipeline waits for a first result: some
  // analysers have none for a long time, or ever.
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_async_enabled(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(self), FALSE);
}

static void install_properties(GObjectClass* object_class) {
  const ResultSettings defaults;
  webrtcupload::install_prepare_stop(object_class);
  webrtcupload::install_channel_properties(object_class, webrtcupload::kResultsLabel,
                                           GST_PARAM_MUTABLE_PLAYING);
  settings_properties = new SettingsProperties(object_class, PROP_FIRST_SETTING);
  webrtcupload::add_result_settings(*settings_properties);

  g_object_class_install_property(
      object_class, PROP_DATA_OUTPUT,
      g_param_spec_string("data-output", "Data output",
                          "What each result holds, separated by commas: the name of an output, "
                          "\"image\" for the frame as a JPEG in base64, \"*\" for everything but "
                          "the image. Empty: only the frame's number, time and size. The peer can "
                          "change it with a message {\"data_output\": [...]}",
                          kDefaultDataOutput, kPlayingFlags));
  g_object_class_install_property(
      object_class, PROP_SHA256,
      g_param_spec_string("sha256", "SHA-256",
                          "What the completion message says is the uploaded file's SHA-256; empty: "
                          "nothing. For an application to set in webrtcupload's signal "
                          "upload-complete, from its statistics. Empty again in READY",
                          nullptr, kPlayingFlags));
  g_object_class_install_property(
      object_class, PROP_REALTIME,
      g_param_spec_boolean("realtime", "Realtime",
                           "Whether results are dropped rather than waited with when the peer does "
                           "not keep up, and frames are paced by their timestamps as a live stream "
                           "would be. Sets \"sync\" and \"qos\" too, which may be changed after",
                           defaults.realtime, kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Results sent and dropped, messages and bytes, control messages from the peer and those "
          "rejected (control, rejected), bytes in the channel now and at most (buffered, "
          "buffered-peak), detections that found no frame (lost-detections), all guint64; number "
          "of the last frame (last-frame-id) and, once the peer has acknowledged any, of the last "
          "one acknowledged (acked), guint; whether the end has come (ending), gboolean; "
          "error-code and error-message after the peer has left, string; what is done here because "
          "of faults of this GStreamer's webrtcbin (workarounds), string",
          GST_TYPE_STRUCTURE, kReadFlags));
}

static void install_signals(GObjectClass* object_class) {
  /**
   * GstWebrtcResultSink::control:
   * @sink: the sink
   * @message: a JSON object
   *
   * The peer has sent a message on the results channel that is not just an acknowledgement, for
   * instance `{"stream_output": ["image"]}`. "data_output" has been applied already. Emitted on a
   * thread of the sink's, where a handler may block. Whatever it says, a stranger says it.
   */
  signals[SIGNAL_CONTROL] =
      g_signal_new("control", G_TYPE_FROM_CLASS(object_class), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 1, G_TYPE_STRING);
  /**
   * GstWebrtcResultSink::finish:
   * @sink: the sink
   * @termination_reason: (nullable): "timeout_reached" or another code; none if all went well
   * @message: (nullable): a sentence for the peer
   *
   * Ends the results as EOS does, but from any thread, at any time, and without waiting for it:
   * the element message `application/x-webrtcresults-delivered` says when it is done. Frames that
   * come afterwards are dropped, and upstream is told EOS.
   */
  signals[SIGNAL_FINISH] =
      g_signal_new_class_handler("finish", G_TYPE_FROM_CLASS(object_class),
                                 static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                                 G_CALLBACK(gst_webrtc_result_sink_finish), nullptr, nullptr,
                                 nullptr, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstWebrtcResultSink::hurry:
   * @sink: the sink
   *
   * Leaves the peer 200 milliseconds to read the end, and to acknowledge it, instead of
   * #webrtcresultsink:linger and #webrtcresultsink:ack-timeout. Before the end, at it or while it
   * is waited for, from any thread; returns at once. It counts until the element goes to READY.
   */
  signals[SIGNAL_HURRY] = g_signal_new_class_handler(
      "hurry", G_TYPE_FROM_CLASS(object_class),
      static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
      G_CALLBACK(gst_webrtc_result_sink_hurry), nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
}

static void gst_webrtc_result_sink_class_init(GstWebrtcResultSinkClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_set_property);
  object_class->get_property = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_get_property);
  object_class->finalize = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_finalize);
  install_properties(object_class);
  install_signals(object_class);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_change_state);
  gst_element_class_set_static_metadata(
      element_class, "WebRTC result sink", "Sink/Network/WebRTC",
      "Sends what was found in each video frame to a peer, as JSON over a WebRTC data channel",
      "The webrtcupload authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);

  auto* sink_class = GST_BASE_SINK_CLASS(klass);
  sink_class->set_caps = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_set_caps);
  sink_class->get_times = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_get_times);
  sink_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_propose_allocation);
  sink_class->render = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_render);
  sink_class->event = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_event);
  sink_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_webrtc_result_sink_unlock_stop);
}
