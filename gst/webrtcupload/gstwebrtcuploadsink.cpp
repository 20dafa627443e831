// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcuploadsink
 * @title: webrtcuploadsink
 * @short_description: uploads a file over a WebRTC data channel
 * @see_also: webrtcupload, webrtcbin
 *
 * Sends the bytes it is given over a data channel of a #webrtcbin, in wire format v1 (numbered
 * chunks) or v2 (blocks with checksums, which the receiver answers); #webrtcuploadsink:protocol and
 * docs/protocol.md have the two. At the other end `webrtcupload`, or any receiver of that format,
 * puts the file together again.
 *
 * The channel is either made by the application and handed over (#webrtcuploadsink:data-channel),
 * or made by this element on the webrtcbin it is given (#webrtcuploadsink:webrtcbin) or finds by
 * name (#webrtcuploadsink:webrtcbin-name). In the latter case it is made when this element goes
 * from READY to PAUSED. The webrtcbin has to be at least in READY then (it is, if both are in the
 * same pipeline), and an application that negotiates has to create its offer after that, since the
 * channel must exist for the offer to speak of it: in a handler of webrtcbin's
 * `on-negotiation-needed`, for instance, or once the state change has returned.
 *
 * Sending begins in PLAYING as soon as the channel is open. What the channel buffers stays within
 * #webrtcuploadsink:buffer-limit; PAUSED interrupts the upload and PLAYING continues it.
 * With v1 the size of the upload has to be known from the start, as it is with filesrc. With
 * sources that do not know it (a pipe, a live stream), set #webrtcuploadsink:size. v2 sends streams
 * of unknown size as well, and empty files.
 *
 * On the bus:
 *
 * * `GST_MESSAGE_PROGRESS` with code "upload": start, continue (at most once per whole percent and
 *   ten times a second), then one of complete, error and canceled.
 * * `GST_MESSAGE_EOS` after complete: everything was handed over, the channel has drained and,
 *   unless #webrtcuploadsink:confirm is off, the peer has confirmed that it has everything. With v2
 *   the peer has said that it has stored a file with the same size and SHA-256.
 * * `GST_MESSAGE_ERROR` when the upload fails. Its details hold the string `error-code`:
 *   `peer-gone` (the channel or the connection closed early, or refused a message), `empty-upload`
 *   (a file of 0 bytes), `unknown-size`, `size-mismatch` (the source brought more or fewer bytes
 *   than announced), `too-many-chunks`, `untrusted-peer` (see #webrtcuploadsink:check-certificate).
 *   With v2 also what the receiver says, any code of docs/protocol.md, and then the fields
 *   `resumable` (gboolean) and, if it says so, `retry-after` (guint64, seconds);
 *   `malformed-message` (it has said something that is not understood), `hash-mismatch` (it has
 *   another file, or the file is not the one of #webrtcuploadsink:sha256), `idle-timeout` (see
 *   #webrtcuploadsink:confirm-timeout). The channels are then closed, so that the receiver notices.
 * * element messages of an upload in v2: `webrtcuploadsink-ready` (`max-connections`, guint, and
 *   `resume-timeout`, guint64 nanoseconds: what the receiver allows), when it has begun;
 *   `webrtcuploadsink-connection-lost` (`webrtcbin`, GstElement, `reason`, string, `remaining`,
 *   guint); `webrtcuploadsink-interrupted` (`reason`, `resume-timeout`: how long the element waits)
 *   when no connection is left; `webrtcuploadsink-resumed` (`stored`, guint64 bytes).
 *
 * ## Several connections
 *
 * An upload in v2 may go over several connections (#GstWebrtcUploadSink::attach), and goes on over
 * another one when the last was lost (#webrtcuploadsink:resume-timeout). docs/elements.md has more.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=holiday.mp4 ! webrtcuploadsink webrtcbin-name=pc \
 *     webrtcbin name=pc bundle-policy=max-bundle
 * ]| Makes a webrtcbin whose data channel carries the file once an application has negotiated with
 * a peer (gst-launch-1.0 itself cannot; `webrtc-upload send` does all of it).
 */

#include "gst/webrtcupload/gstwebrtcuploadsink.h"

#include <gst/webrtc/webrtc.h>

#include <memory>
#include <string>
#include <utility>

#include "core/channel_labels.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "core/wire_v1.h"
#include "core/wire_v2.h"
#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "glib/settings_properties.h"
#include "gst/webrtcupload/channel_properties.h"
#include "gst/webrtcupload/prepare_stop_action.h"
#include "gst/webrtcupload/sink_protocol.h"
#include "gst/webrtcupload/sink_settings.h"
#include "sending/bell.h"
#include "sending/sender_channel.h"
#include "sending/sender_session.h"
#include "sending/sender_settings.h"
#include "sending/sending_format.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/pipeline_eos.h"
#include "webrtc/workarounds.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace {

using webrtcupload::ChannelSettings;
using webrtcupload::GstPtr;
using webrtcupload::kReadFlags;
using webrtcupload::kReadyFlags;
using webrtcupload::SenderChannel;
using webrtcupload::SenderSession;
using webrtcupload::SenderSettings;
using webrtcupload::SinkProtocol;
using SettingsProperties = webrtcupload::SettingsProperties<SenderSettings>;

enum Property : guint {
  PROP_STATS = webrtcupload::PROP_AFTER_CHANNEL,
  PROP_PROTOCOL,
  PROP_SHA256,
  // And from here on those that `settings_properties` has.
  PROP_FIRST_SETTING,
};

SettingsProperties* settings_properties;

// What the element is besides a GstBaseSink. The object lock protects all of it.
struct SinkState {
  ChannelSettings channel{.channel_label = webrtcupload::kUploadLabel};
  SenderSettings settings;
  SinkProtocol protocol = SinkProtocol::kAuto;
  // Of the last file that was sent, if it was computed; until the application sets one.
  std::string last_sha256;
  // From READY->PAUSED to PAUSED->READY.
  std::shared_ptr<SenderSession> session;
};

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

}  // namespace

struct _GstWebrtcUploadSink {
  GstBaseSink parent;
  SinkState* state;
};

#define gst_webrtc_upload_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE(GstWebrtcUploadSink, gst_webrtc_upload_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(webrtcuploadsink, "webrtcuploadsink", GST_RANK_NONE,
                            GST_TYPE_WEBRTC_UPLOAD_SINK)

namespace {

std::shared_ptr<SenderSession> current_session(GstWebrtcUploadSink* self) {
  GST_OBJECT_LOCK(self);
  auto session = self->state->session;
  GST_OBJECT_UNLOCK(self);
  return session;
}

// The webrtcbin that the properties name; null without an error when they name none.
bool look_up_webrtcbin(GstWebrtcUploadSink* self, GstPtr<GstElement>& webrtcbin) {
  GST_OBJECT_LOCK(self);
  webrtcbin = webrtcupload::ref_gst(self->state->channel.webrtcbin.get());
  const std::string name = self->state->channel.webrtcbin_name;
  GST_OBJECT_UNLOCK(self);
  return webrtcupload::resolve_webrtcbin(GST_ELEMENT(self), name, webrtcbin);
}

// READY->PAUSED, on the thread that changes the state: finds or makes the channel. False when an
// error has been posted.
bool start_session(GstWebrtcUploadSink* self) {
  GstPtr<GstElement> webrtcbin;
  if (!look_up_webrtcbin(self, webrtcbin)) return false;

  GST_OBJECT_LOCK(self);
  auto channel = webrtcupload::ref_gst(self->state->channel.data_channel.get());
  const std::string label = self->state->channel.channel_label;
  const SinkProtocol wanted = self->state->protocol;
  const SenderSettings settings = self->state->settings;
  GST_OBJECT_UNLOCK(self);

  std::string problem;
  const bool is_ours = !channel;
  const bool is_v2 =
      is_ours ? webrtcupload::speaks_v2(wanted)
              : webrtcupload::speaks_v2(wanted, webrtcupload::protocol_of(channel.get()), problem);
  if (is_ours && !webrtcbin) {
    problem =
        "There is nothing to send over: set one of the properties \"data-channel\", \"webrtcbin\" "
        "and \"webrtcbin-name\".";
  } else if (is_v2 && !settings.sha256.empty() && !webrtcupload::parse_sha256(settings.sha256)) {
    problem = "The property \"sha256\" is not 64 hexadecimal digits.";
  }
  if (!problem.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", problem.c_str()), (nullptr));
    return false;
  }
  if (is_ours) {
    channel = SenderChannel::create(webrtcbin.get(), label.c_str(),
                                    is_v2 ? webrtcupload::kV2Protocol : nullptr, problem);
    if (!channel) {
      GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE, ("%s", problem.c_str()), (nullptr));
      return false;
    }
  }

  GST_INFO_OBJECT(self, "%s channel %s%s",
                  is_ours ? "sends over a new" : "sends over the application's",
                  webrtcupload::debug::quote(webrtcupload::label_of(channel.get())).c_str(),
                  is_v2 ? ", wire format v2" : "");
  const auto bell = std::make_shared<webrtcupload::Bell>();
  webrtcupload::FirstChannel first{.channel = std::move(channel),
                                   .webrtcbin = webrtcupload::ref_gst(webrtcbin.get()),
                                   .is_ours = is_ours};
  auto format = is_v2 ? webrtcupload::make_v2_format(settings, std::move(first), bell)
                      : webrtcupload::make_v1_format(settings, std::move(first), bell);
  auto session = std::make_shared<SenderSession>(GST_BASE_SINK(self), settings, std::move(format),
                                                 std::move(webrtcbin), bell);
  GST_OBJECT_LOCK(self);
  self->state->last_sha256.clear();
  self->state->session = std::move(session);
  GST_OBJECT_UNLOCK(self);
  return true;
}

std::string computed_sha256(const SenderSession& session) {
  const auto sum = session.sha256();
  return sum ? webrtcupload::to_hex(*sum) : "";
}

// PAUSED->READY, after the streaming thread has left.
void stop_session(GstWebrtcUploadSink* self) {
  GST_OBJECT_LOCK(self);
  const auto session = std::exchange(self->state->session, nullptr);
  GST_OBJECT_UNLOCK(self);
  if (!session) return;
  session->stop();
  const std::string sha256 = computed_sha256(*session);
  GST_OBJECT_LOCK(self);
  self->state->last_sha256 = sha256;
  GST_OBJECT_UNLOCK(self);
}

// What the file has, or else what the application says that it has.
std::string sha256_of(GstWebrtcUploadSink* self) {
  const auto session = current_session(self);
  std::string computed = session ? computed_sha256(*session) : "";
  if (!computed.empty()) return computed;
  GST_OBJECT_LOCK(self);
  const SinkState& state = *self->state;
  std::string text = state.last_sha256.empty() ? state.settings.sha256 : state.last_sha256;
  GST_OBJECT_UNLOCK(self);
  return text;
}

gboolean attach(GstWebrtcUploadSink* self, GstElement* webrtcbin) {
  const auto session = current_session(self);
  GST_OBJECT_LOCK(self);
  const std::string label = self->state->channel.channel_label;
  GST_OBJECT_UNLOCK(self);
  std::string problem;
  if (!webrtcbin || !webrtcupload::is_webrtcbin(webrtcbin)) {
    problem = "what is to be attached is no webrtcbin";
  } else if (!session) {
    problem = "the element has not been started";
  } else if (session->attach(webrtcbin, label, problem)) {
    GST_INFO_OBJECT(self, "takes %s for the upload as well", GST_OBJECT_NAME(webrtcbin));
    return TRUE;
  }
  GST_WARNING_OBJECT(self, "nothing is attached: %s", problem.c_str());
  return FALSE;
}

void install_attach(GObjectClass* object_class) {
  /**
   * GstWebrtcUploadSink::attach:
   * @element: the element
   * @webrtcbin: a further connection to the receiver, at least in READY
   *
   * Action: with wire format v2, makes a data channel on @webrtcbin (of the label
   * #webrtcuploadsink:channel-label) over which the upload that runs goes as well, or goes on after
   * the last of its connections was lost. The application makes the offer for @webrtcbin
   * afterwards. From READY->PAUSED to the upload's end, any number of times, on any thread but a
   * handler of webrtcbin's own signals. A connection that never opens, or that the receiver
   * refuses, is lost without harm to the others.
   *
   * Returns: %TRUE if there is a channel on @webrtcbin; %FALSE if the upload is one in v1, has not
   * been started or has ended, or the channel cannot be made. The log says why
   */
  g_signal_new_class_handler("attach", G_OBJECT_CLASS_TYPE(object_class),
                             static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                             G_CALLBACK(attach), nullptr, nullptr, nullptr, G_TYPE_BOOLEAN, 1,
                             GST_TYPE_ELEMENT);
}

}  // namespace

static GstStateChangeReturn gst_webrtc_upload_sink_change_state(GstElement* element,
                                                                GstStateChange transition) {
  auto* self = GST_WEBRTC_UPLOAD_SINK(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start_session(self)) {
    return GST_STATE_CHANGE_FAILURE;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED && webrtcupload::is_shutting_down(element)) {
    // Before a webrtcbin in the same pipeline goes to READY.
    if (const auto session = current_session(self)) session->prepare_stop();
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE)) {
    stop_session(self);
  }
  return result;
}

static GstFlowReturn gst_webrtc_upload_sink_render(GstBaseSink* sink, GstBuffer* buffer) {
  const auto session = current_session(GST_WEBRTC_UPLOAD_SINK(sink));
  return session ? session->render(buffer) : GST_FLOW_FLUSHING;
}

static gboolean gst_webrtc_upload_sink_event(GstBaseSink* sink, GstEvent* event) {
  const auto session = current_session(GST_WEBRTC_UPLOAD_SINK(sink));
  if (session && GST_EVENT_TYPE(event) == GST_EVENT_EOS && !session->end_of_stream(event)) {
    gst_event_unref(event);
    return FALSE;
  }
  if (session && GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) session->flushed();
  const bool ends = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
  const gboolean handled = GST_BASE_SINK_CLASS(parent_class)->event(sink, event);
  if (ends && handled) webrtcupload::remind_that_it_plays(GST_ELEMENT(sink));
  return handled;
}

// GstBaseSink calls this with the preroll lock held, when it pauses, flushes or stops. The call
// before it, unlock, is for sinks that hold that lock while they wait.
static gboolean gst_webrtc_upload_sink_unlock_stop(GstBaseSink* sink) {
  if (const auto session = current_session(GST_WEBRTC_UPLOAD_SINK(sink))) session->interrupt();
  return TRUE;
}

static void gst_webrtc_upload_sink_set_property(GObject* object, guint id, const GValue* value,
                                                GParamSpec* pspec) {
  auto* self = GST_WEBRTC_UPLOAD_SINK(object);
  SinkState& state = *self->state;
  webrtcupload::ChannelPropertyChange channel_change(id, value, pspec);
  bool is_known = true;
  GST_OBJECT_LOCK(self);
  if (id < webrtcupload::PROP_AFTER_CHANNEL) {
    channel_change.apply(state.channel);
  } else if (id == PROP_PROTOCOL) {
    state.protocol = static_cast<SinkProtocol>(g_value_get_enum(value));
  } else if (id == PROP_SHA256) {
    webrtcupload::store_value(value, pspec, state.settings.sha256);
    state.last_sha256.clear();
  } else {
    is_known = settings_properties->set(state.settings, id, value, pspec);
  }
  GST_OBJECT_UNLOCK(self);
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_webrtc_upload_sink_get_property(GObject* object, guint id, GValue* value,
                                                GParamSpec* pspec) {
  auto* self = GST_WEBRTC_UPLOAD_SINK(object);
  if (id == PROP_STATS) {
    const auto session = current_session(self);
    GstStructure* stats = session ? session->stats()
                                  : gst_structure_new_empty("application/x-webrtcuploadsink-stats");
    webrtcupload::tell_workarounds(stats);
    g_value_take_boxed(value, stats);
    return;
  }
  if (id == PROP_SHA256) {
    const std::string sha256 = sha256_of(self);
    g_value_set_string(value, sha256.empty() ? nullptr : sha256.c_str());
    return;
  }
  const SinkState& state = *self->state;
  bool is_known = true;
  GST_OBJECT_LOCK(self);
  if (id < webrtcupload::PROP_AFTER_CHANNEL) {
    webrtcupload::get_channel_property(state.channel, id, value);
  } else if (id == PROP_PROTOCOL) {
    g_value_set_enum(value, static_cast<int>(state.protocol));
  } else {
    is_known = settings_properties->get(state.settings, id, value);
  }
  GST_OBJECT_UNLOCK(self);
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_webrtc_upload_sink_finalize(GObject* object) {
  delete GST_WEBRTC_UPLOAD_SINK(object)->state;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_webrtc_upload_sink_init(GstWebrtcUploadSink* self) {
  self->state = new SinkState;
  webrtcupload::watch_channel_owners();
  // A file has no clock to follow, and the pipeline does not wait in PAUSED for a peer.
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_async_enabled(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(self), FALSE);
}

static void install_properties(GObjectClass* object_class) {
  webrtcupload::install_prepare_stop(object_class);
  webrtcupload::install_channel_properties(object_class, webrtcupload::kUploadLabel,
                                           GST_PARAM_MUTABLE_READY);
  settings_properties = new SettingsProperties(object_class, PROP_FIRST_SETTING);
  webrtcupload::add_sink_settings(*settings_properties);
  g_object_class_install_property(
      object_class, PROP_PROTOCOL,
      g_param_spec_enum("protocol", "Protocol",
                        "Wire format. auto: what the protocol field of the \"data-channel\" says, "
                        "v2 for \"webrtcupload.v2\" and v1 for any other; over a channel that the "
                        "element makes, v1 for now. With v2 it makes one whose protocol field says "
                        "so. A \"data-channel\" whose field contradicts is an error",
                        webrtcupload::sink_protocol_type(), static_cast<int>(SinkProtocol::kAuto),
                        kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_SHA256,
      g_param_spec_string(
          "sha256", "SHA-256",
          "What sha256sum prints of the file, if it is known beforehand: the upload "
          "fails when the file has another one. After an upload with wire format "
          "v2, the file's, which the receiver has confirmed, until another one is "
          "set or the next upload begins. v1 ignores it",
          nullptr, kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Of the upload under way, or the last one until READY: size and bytes "
          "sent (guint64), percent (gint), chunks-sent and chunks-announced "
          "(guint), bytes buffered in the channel now and at most (buffered, "
          "buffered-peak, guint64), whether the peer has confirmed (confirmed, "
          "gboolean), error-code and error-message after a failure (string); with v2 "
          "connections that have joined now and the receiver's limit "
          "(connections, max-connections, guint, 0: not known), bytes that the "
          "receiver has stored and that were sent, with those sent again (stored, "
          "sent, guint64), nanoseconds for which there were bytes and every joined "
          "channel was full, or none had credit (waited-for-room, "
          "waited-for-credit, guint64), and of a keepalive before any data "
          "(round-trip, guint64, 0: not known); and "
          "what is done here because of faults of this GStreamer's webrtcbin "
          "(workarounds, string)",
          GST_TYPE_STRUCTURE, kReadFlags));
}

static void gst_webrtc_upload_sink_class_init(GstWebrtcUploadSinkClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_set_property);
  object_class->get_property = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_get_property);
  object_class->finalize = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_finalize);
  install_properties(object_class);
  install_attach(object_class);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_change_state);
  gst_element_class_set_static_metadata(
      element_class, "WebRTC upload sink", "Sink/Network/WebRTC",
      "Uploads a file over a WebRTC data channel, to webrtcupload or another receiver of the same "
      "protocol",
      "The webrtcupload authors");
  gst_element_class_add_static_pad_template(element_class, &sink_template);

  auto* sink_class = GST_BASE_SINK_CLASS(klass);
  sink_class->render = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_render);
  sink_class->event = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_event);
  sink_class->unlock_stop = GST_DEBUG_FUNCPTR(gst_webrtc_upload_sink_unlock_stop);
}
