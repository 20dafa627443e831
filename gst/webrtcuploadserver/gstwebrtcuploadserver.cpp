// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-webrtcuploadserver
 * @title: webrtcuploadserver
 * @short_description: Takes one upload over WebRTC, signalling included
 *
 * webrtcuploadserver is a #webrtcupload that brings its own WebRTC connection and the HTTP server
 * that negotiates it: whoever can reach its address can upload a file, whose bytes come out of the
 * `src` pad.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 webrtcuploadserver ! decodebin ! videoconvert ! autovideosink
 * ]|
 * shows the video that `webrtc-upload send film.mp4 --to http://127.0.0.1:8080` uploads.
 *
 * It takes one upload. While a peer is connected others are told to try later (HTTP status 429); a
 * peer that leaves before its upload has begun, or does not begin in time, frees the place. To take
 * another upload set the pipeline to READY and PLAYING again.
 *
 * The properties of the #webrtcupload inside are set through the child proxy, as in
 * `webrtcuploadserver upload::max-size=100000000`. A #webrtcresultsink in the same pipeline that is
 * told nothing else sends its results to the peer that uploads.
 *
 * An application that has signalling of its own sets the property #GstWebrtcUploadServer:signaller
 * to an object with the interface GstWebrtcUploadSignaller. There is no HTTP server then.
 *
 * ## Messages
 * When it listens (with a signaller it does not), a GST_MESSAGE_PROGRESS with code "listen" (which
 * gst-launch prints) and an element message `application/x-webrtcuploadserver` with the strings
 * `url` and `address` and the uint `port`. Then those of #webrtcupload.
 */

#include "gst/webrtcuploadserver/gstwebrtcuploadserver.h"

#include <gio/gio.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/upload_limits.h"
#include "glib/debug.h"
#include "glib/error_details.h"
#include "glib/signal_connection.h"
#include "gst/webrtcuploadserver/resume_choice.h"
#include "gst/webrtcuploadserver/server_settings.h"
#include "signalling/upload_server.h"
#include "upload/upload_source.h"
#include "upload/v2_properties.h"
#include "webrtcupload/gstwebrtcuploadsignaller.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

using webrtcupload::GErrorPtr;
using webrtcupload::GObjectPtr;
using webrtcupload::GstPtr;
using webrtcupload::OfferOutcome;
using webrtcupload::ResumeChoice;
using webrtcupload::ServerProperties;
using SettingsProperties = webrtcupload::SettingsProperties<ServerProperties>;
using webrtcupload::UploadServer;
using webrtcupload::UploadSource;
using webrtcupload::UploadState;

namespace {

struct ServerState {
  // Under the object lock.
  ServerProperties properties;
  guint actual_port = 0;  // While it listens.
  std::string url;

  GObjectPtr<GstWebrtcUploadSignaller> signaller;

  // Of the thread that changes the state.
  std::unique_ptr<UploadServer> server;
  std::optional<ResumeChoice> resume_choice;
  GObjectPtr<GstWebrtcUploadSignaller> claimed_signaller;
};

enum Property : guint {
  PROP_0,
  PROP_PORT,
  PROP_URL,
  PROP_SIGNALLER,
  // Of the upload inside.
  PROP_PROTOCOLS,
  PROP_RESUME_TIMEOUT,
  PROP_MAX_CONNECTIONS,
  // And from here on those that `settings_properties` has.
  PROP_FIRST_SETTING,
};

bool is_of_upload(guint id) { return id >= PROP_PROTOCOLS && id <= PROP_MAX_CONNECTIONS; }

SettingsProperties* settings_properties;

enum Signal : guint { SIGNAL_PEER_ADDED, SIGNAL_PEER_REMOVED, SIGNAL_COUNT };
guint signals[SIGNAL_COUNT];

}  // namespace

struct _GstWebrtcUploadServer {
  GstBin parent;
  // In the bin, unless the application has taken it out. Null where the plugin webrtcupload is not.
  GstElement* upload;
  ServerState* state;
};

G_DEFINE_FINAL_TYPE(GstWebrtcUploadServer, gst_webrtc_upload_server, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE(webrtcuploadserver, "webrtcuploadserver", GST_RANK_NONE,
                            GST_TYPE_WEBRTC_UPLOAD_SERVER)

#define parent_class gst_webrtc_upload_server_parent_class

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

namespace {

OfferOutcome upload_failure(const UploadSource& upload) {
  const webrtcupload::GstStructurePtr stats = upload.stats();
  const char* code = gst_structure_get_string(stats.get(), webrtcupload::kErrorCodeField);
  if (!code) return {};
  const char* message = gst_structure_get_string(stats.get(), webrtcupload::kErrorMessageField);
  return {code, message ? message : code};
}

// As the peer is told; all is well if its bytes have been read.
OfferOutcome upload_outcome(const UploadSource& upload) {
  OfferOutcome failure = upload_failure(upload);
  if (!failure.code.empty()) return failure;
  const UploadState state = upload.state();
  if (state == UploadState::kProcessing || state == UploadState::kDone) return {};
  return {"cancelled", "The server has ended the upload."};
}

// The server's thread ends before the element does; the thread that tells the application holds it.
UploadServer::Events events_of(GstWebrtcUploadServer* self) {
  UploadSource* const upload = UploadSource::of(self->upload);
  UploadServer::Events events;
  events.hold = [self] { return webrtcupload::ref_gobject(G_OBJECT(self)); };
  events.attach = [upload](GstElement* webrtcbin) { static_cast<void>(upload->attach(webrtcbin)); };
  events.may_be_joined = [upload] { return upload->may_be_joined(); };
  events.join = [upload](GstElement* webrtcbin) {
    return upload->may_be_joined() && upload->attach(webrtcbin);
  };
  events.detach = [upload](GstElement* webrtcbin) { upload->detach(webrtcbin); };
  events.peer_added = [self](GstElement* webrtcbin) {
    g_signal_emit(self, signals[SIGNAL_PEER_ADDED], 0, webrtcbin);
  };
  events.peer_removed = [self](GstElement* webrtcbin) {
    g_signal_emit(self, signals[SIGNAL_PEER_REMOVED], 0, webrtcbin);
  };
  events.upload_label = [upload] {
    return upload->with_settings([](const auto& settings) { return settings.channel_label; });
  };
  events.not_begun = [self](const std::string& why) {
    GST_ELEMENT_INFO(self, RESOURCE, READ, ("The peer has lost its place: %s.", why.c_str()),
                     (nullptr));
  };
  events.upload_begun = [upload] { return upload->state() != UploadState::kIdle; };
  events.has_a_chunk = [upload] { return upload->has_a_chunk(); };
  events.limits = [upload] {
    return upload->with_settings([](const auto& settings) {
      return webrtcupload::LimitsForClients{
          .max_size = webrtcupload::reachable_size(settings.limits),
          .protocols = settings.versions,
          .max_connections = settings.limits.max_connections,
          .resume_timeout = settings.limits.resume_timeout};
    });
  };
  events.outcome = [upload] { return upload_outcome(*upload); };
  events.give_up = [upload] { upload->cancel(); };
  events.failure = [upload] { return upload_failure(*upload); };
  events.watch = [element = self->upload](std::function<void()> changed) {
    using Changed = std::function<void()>;
    return webrtcupload::SignalConnection(
        element, "notify::state",
        G_CALLBACK(+[](GObject*, GParamSpec*, Changed* told) { (*told)(); }), std::move(changed));
  };
  events.distrusted = [self](const std::string& why) {
    GST_ELEMENT_WARNING(self, RESOURCE, NOT_AUTHORIZED,
                        ("The upload is given up: %s.", why.c_str()), (nullptr));
  };
  events.signaller_failed = [self, upload](const std::string& why) {
    if (upload->state() == UploadState::kIdle) {
      GST_ELEMENT_ERROR(self, RESOURCE, READ, ("The signaller has failed: %s.", why.c_str()),
                        (nullptr));
    } else {
      GST_ELEMENT_WARNING(self, RESOURCE, READ, ("The signaller has failed: %s.", why.c_str()),
                          (nullptr));
    }
  };
  return events;
}

void announce(GstWebrtcUploadServer* self, const std::string& address, const std::string& url,
              guint port) {
  auto* object = GST_OBJECT(self);
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_element(
          object, gst_structure_new("application/x-webrtcuploadserver", "url", G_TYPE_STRING,
                                    url.c_str(), "address", G_TYPE_STRING, address.c_str(), "port",
                                    G_TYPE_UINT, port, nullptr)));
  const std::string text = "Waiting for an upload on " + url;
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_progress(object, GST_PROGRESS_TYPE_START, "listen", text.c_str()));
  g_object_notify(G_OBJECT(self), "port");
  g_object_notify(G_OBJECT(self), "url");
}

// Set on a signaller while an element uses it. Two elements cannot share one: nothing would say for
// which of them an offer is.
constexpr const char* kTaken = "webrtcuploadserver-signaller-taken";

// False when an error has been posted.
bool claim_signaller(GstWebrtcUploadServer* self, GstWebrtcUploadSignaller* signaller) {
  // The others may be missing.
  if (!GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(signaller)->answer) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The signaller, a %s, does not implement \"answer\": no peer could be "
                       "answered.",
                       G_OBJECT_TYPE_NAME(signaller)),
                      (nullptr));
    return false;
  }
  if (!g_object_replace_data(G_OBJECT(signaller), kTaken, nullptr, self, nullptr, nullptr)) {
    GST_ELEMENT_ERROR(self, RESOURCE, BUSY, ("The signaller is that of another element."),
                      (nullptr));
    return false;
  }
  self->state->claimed_signaller = webrtcupload::ref_gobject(signaller);
  return true;
}

void release_signaller(GstWebrtcUploadServer* self) {
  const auto signaller = std::move(self->state->claimed_signaller);
  if (signaller) g_object_set_data(G_OBJECT(signaller.get()), kTaken, nullptr);
}

// False when an error has been posted.
bool start_signaller(GstWebrtcUploadServer* self) {
  GError* error = nullptr;
  if (gst_webrtc_upload_signaller_start(self->state->claimed_signaller.get(), &error)) return true;
  const GErrorPtr owned(error);
  GST_ELEMENT_ERROR(
      self, RESOURCE, OPEN_READ,
      ("The signaller does not start: %s.", error ? error->message : "it does not say why"),
      (nullptr));
  return false;
}

bool has_signaller(GstWebrtcUploadServer* self) {
  GST_OBJECT_LOCK(self);
  const bool has = self->state->signaller != nullptr;
  GST_OBJECT_UNLOCK(self);
  return has;
}

bool start_server(GstWebrtcUploadServer* self) {
  UploadServer::Settings settings;
  GST_OBJECT_LOCK(self);
  const ServerProperties properties = self->state->properties;
  settings.signaller = webrtcupload::ref_gobject(self->state->signaller.get());
  GST_OBJECT_UNLOCK(self);
  if (!webrtcupload::read_server_settings(GST_ELEMENT(self), properties, settings)) return false;
  // Before anything listens to it.
  if (settings.signaller && !claim_signaller(self, settings.signaller.get())) return false;
  std::string problem;
  const std::string listens = settings.address;
  const webrtcupload::GCharPtr name(gst_object_get_name(GST_OBJECT(self)));
  settings.name = name.get();
  auto server = UploadServer::start(std::move(settings), events_of(self), problem);
  if (!server) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ,
                      ("The server does not start: %s.", problem.c_str()), (nullptr));
    release_signaller(self);
    return false;
  }
  if (self->state->claimed_signaller) {
    if (!start_signaller(self)) {
      server.reset();
      release_signaller(self);
      return false;
    }
    GST_INFO_OBJECT(self, "waiting for offers of %s",
                    G_OBJECT_TYPE_NAME(self->state->claimed_signaller.get()));
    self->state->server = std::move(server);
    return true;
  }
  GST_OBJECT_LOCK(self);
  self->state->actual_port = server->port();
  self->state->url = server->url();
  GST_OBJECT_UNLOCK(self);
  GST_INFO_OBJECT(self, "listening on %s", server->url().c_str());
  // Not here: a handler could not change the state within a change of the state.
  server->tell([self,
                held = std::shared_ptr<GObject>(webrtcupload::ref_gobject(G_OBJECT(self)).release(),
                                                g_object_unref),
                listens, url = server->url(),
                port = guint{server->port()}] { announce(self, listens, url, port); });
  self->state->server = std::move(server);
  return true;
}

void stop_server(GstWebrtcUploadServer* self) {
  self->state->server.reset();
  if (self->state->claimed_signaller) {
    gst_webrtc_upload_signaller_stop(self->state->claimed_signaller.get());
    release_signaller(self);
  }
  GST_INFO_OBJECT(self, "takes no more offers");
  GST_OBJECT_LOCK(self);
  self->state->actual_port = 0;
  self->state->url.clear();
  GST_OBJECT_UNLOCK(self);
}

}  // namespace

static GstStateChangeReturn gst_webrtc_upload_server_change_state(GstElement* element,
                                                                  GstStateChange transition) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !self->upload) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN,
                      ("The element webrtcupload is missing: it is in a plugin of the same name, "
                       "beside this one's."),
                      (nullptr));
    return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) stop_server(self);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    self->state->resume_choice->choose(has_signaller(self));
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result != GST_STATE_CHANGE_FAILURE &&
      !start_server(self)) {
    GST_ELEMENT_CLASS(parent_class)->change_state(element, GST_STATE_CHANGE_PAUSED_TO_READY);
    return GST_STATE_CHANGE_FAILURE;
  }
  return result;
}

static void gst_webrtc_upload_server_set_property(GObject* object, guint id, const GValue* value,
                                                  GParamSpec* pspec) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(object);
  if (is_of_upload(id)) {
    if (self->upload) g_object_set_property(G_OBJECT(self->upload), pspec->name, value);
    return;
  }
  ServerProperties& properties = self->state->properties;
  bool is_known = true;
  // The last reference is not given up under the lock.
  GObjectPtr<GstWebrtcUploadSignaller> signaller;
  GST_OBJECT_LOCK(self);
  if (id == PROP_SIGNALLER) {
    signaller.reset(static_cast<GstWebrtcUploadSignaller*>(g_value_dup_object(value)));
    signaller.swap(self->state->signaller);
  } else if (id == PROP_PORT) {
    properties.port = g_value_get_uint(value);
  } else {
    is_known = settings_properties->set(properties, id, value, pspec);
  }
  GST_OBJECT_UNLOCK(self);
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_webrtc_upload_server_get_property(GObject* object, guint id, GValue* value,
                                                  GParamSpec* pspec) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(object);
  if (is_of_upload(id)) {
    if (self->upload) g_object_get_property(G_OBJECT(self->upload), pspec->name, value);
    return;
  }
  const ServerState& state = *self->state;
  bool is_known = true;
  GST_OBJECT_LOCK(self);
  if (id == PROP_PORT) {
    g_value_set_uint(value, state.actual_port ? state.actual_port : state.properties.port);
  } else if (id == PROP_URL) {
    g_value_set_string(value, state.url.empty() ? nullptr : state.url.c_str());
  } else if (id == PROP_SIGNALLER) {
    g_value_set_object(value, state.signaller.get());
  } else {
    is_known = settings_properties->get(state.properties, id, value);
  }
  GST_OBJECT_UNLOCK(self);
  if (!is_known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_webrtc_upload_server_finalize(GObject* object) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(object);
  delete self->state;
  if (self->upload) gst_object_unref(self->upload);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void install_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, PROP_PORT,
      g_param_spec_uint(
          "port", "Port",
          "TCP port to listen on; 0 = any that is free, which is read back here while "
          "the element is PAUSED or PLAYING",
          0, webrtcupload::kLastPort, ServerProperties().port, webrtcupload::kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_URL,
      g_param_spec_string("url", "URL", "Where it listens, while it does", nullptr,
                          webrtcupload::kReadFlags));
  g_object_class_install_property(
      object_class, PROP_SIGNALLER,
      g_param_spec_object(
          "signaller", "Signaller",
          "Object that brings offers and takes answers in place of the HTTP server; it decides who "
          "may upload. None: HTTP. Address then only says where the WebRTC connection listens, and "
          "port, api-key and allowed-origins are of no use",
          GST_TYPE_WEBRTC_UPLOAD_SIGNALLER, webrtcupload::kReadyFlags));
  g_object_class_install_property(object_class, PROP_PROTOCOLS, webrtcupload::protocols_spec());
  g_object_class_install_property(object_class, PROP_RESUME_TIMEOUT,
                                  webrtcupload::resume_timeout_spec());
  g_object_class_install_property(object_class, PROP_MAX_CONNECTIONS,
                                  webrtcupload::max_connections_spec());
  settings_properties = new SettingsProperties(object_class, PROP_FIRST_SETTING);
  webrtcupload::add_server_settings(*settings_properties);
}

static void install_signals(GObjectClass* object_class) {
  /**
   * GstWebrtcUploadServer::peer-added:
   * @server: the element
   * @webrtcbin: the peer's webrtcbin, not negotiated yet
   *
   * A peer's offer is about to be answered, when the handlers have returned. Elements and
   * applications that want its channels listen from here on. Emitted on a thread where a handler
   * may block, and may stop, restart or unref the element.
   */
  signals[SIGNAL_PEER_ADDED] =
      g_signal_new("peer-added", G_TYPE_FROM_CLASS(object_class), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);
  /**
   * GstWebrtcUploadServer::peer-removed:
   * @server: the element
   * @webrtcbin: the peer's webrtcbin, stopped
   *
   * The peer has left, before, amid or after its upload, or the element stops. The element has let
   * go of everything that the peer had: who has no reference on @webrtcbin need not do anything.
   * Emitted on the thread of #GstWebrtcUploadServer::peer-added, to each of that one's emissions
   * once; when a handler has stopped the element, after that has returned.
   */
  signals[SIGNAL_PEER_REMOVED] =
      g_signal_new("peer-removed", G_TYPE_FROM_CLASS(object_class), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);
}

static void gst_webrtc_upload_server_class_init(GstWebrtcUploadServerClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = GST_DEBUG_FUNCPTR(gst_webrtc_upload_server_set_property);
  object_class->get_property = GST_DEBUG_FUNCPTR(gst_webrtc_upload_server_get_property);
  object_class->finalize = GST_DEBUG_FUNCPTR(gst_webrtc_upload_server_finalize);
  install_properties(object_class);
  install_signals(object_class);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_webrtc_upload_server_change_state);
  gst_element_class_set_static_metadata(
      element_class, "WebRTC upload server", "Source/Network/WebRTC",
      "Takes one file that a browser or program uploads over WebRTC, with its own HTTP signalling",
      "The webrtcupload authors");
  gst_element_class_add_static_pad_template(element_class, &src_template);
}

static void gst_webrtc_upload_server_init(GstWebrtcUploadServer* self) {
  self->state = new ServerState;
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
  const GstPtr<GstPadTemplate> source_template(gst_static_pad_template_get(&src_template));
  self->upload = gst_element_factory_make("webrtcupload", "upload");
  if (!self->upload) {
    // Said when it is to start.
    gst_element_add_pad(GST_ELEMENT(self),
                        gst_ghost_pad_new_no_target_from_template("src", source_template.get()));
    return;
  }
  gst_object_ref_sink(self->upload);
  g_object_set(self->upload, "wait-for-peer", TRUE, nullptr);
  self->state->resume_choice.emplace(self->upload);
  gst_bin_add(GST_BIN(self), self->upload);
  const GstPtr<GstPad> inner(gst_element_get_static_pad(self->upload, "src"));
  gst_element_add_pad(GST_ELEMENT(self),
                      gst_ghost_pad_new_from_template("src", inner.get(), source_template.get()));
}
