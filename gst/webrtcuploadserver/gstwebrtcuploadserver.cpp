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
 * ## Messages
 * When it listens, a GST_MESSAGE_PROGRESS with code "listen" (which gst-launch prints) and an
 * element message `application/x-webrtcuploadserver` with the strings `url` and `address` and the
 * uint `port`. Then those of #webrtcupload.
 */

#include "gst/webrtcuploadserver/gstwebrtcuploadserver.h"

#include <gio/gio.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "core/upload_limits.h"
#include "signalling/http_server.h"
#include "signalling/upload_server.h"
#include "upload/upload_source.h"

GST_DEBUG_CATEGORY_STATIC(webrtc_upload_server_debug);
#define GST_CAT_DEFAULT webrtc_upload_server_debug

using webrtcupload::GCharPtr;
using webrtcupload::GstPtr;
using webrtcupload::IceNetwork;
using webrtcupload::IceNetworkError;
using webrtcupload::IceServer;
using webrtcupload::UdpPortRange;
using webrtcupload::UploadServer;

namespace {

constexpr const char* kDefaultAddress = "127.0.0.1";
constexpr guint kDefaultPort = 8080;
constexpr guint kLastPort = 65535;
constexpr GstClockTime kDefaultConnectTimeout = 30 * GST_SECOND;

struct ServerState {
  // Under the object lock.
  std::string address = kDefaultAddress;
  guint port = kDefaultPort;
  std::string stun_server;
  std::string turn_server;
  guint min_udp_port = 0;
  guint max_udp_port = kLastPort;
  std::string announce_address;
  std::string api_key;
  std::string allowed_origins;
  GstClockTime connect_timeout = kDefaultConnectTimeout;
  guint actual_port = 0;  // While it listens.
  std::string url;

  // Of the thread that changes the state.
  std::unique_ptr<UploadServer> server;
};

enum Property : guint {
  PROP_0,
  PROP_ADDRESS,
  PROP_PORT,
  PROP_STUN_SERVER,
  PROP_TURN_SERVER,
  PROP_MIN_UDP_PORT,
  PROP_MAX_UDP_PORT,
  PROP_ANNOUNCE_ADDRESS,
  PROP_API_KEY,
  PROP_ALLOWED_ORIGINS,
  PROP_CONNECT_TIMEOUT,
  PROP_URL,
};

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

// Adds the server that a property names, if it does. False when an error has been posted.
bool add_ice_server(GstWebrtcUploadServer* self, const char* property, const std::string& text,
                    std::vector<IceServer>& servers) {
  if (text.empty()) return true;
  auto parsed = webrtcupload::parse_ice_server_uri(text);
  if (auto* server = std::get_if<IceServer>(&parsed)) {
    servers.push_back(std::move(*server));
    return true;
  }
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                    ("The property \"%s\" %s.", property,
                     std::get<webrtcupload::IceUrlError>(parsed).message.c_str()),
                    (nullptr));
  return false;
}

// False when an error has been posted.
bool read_udp_ports(GstWebrtcUploadServer* self, guint first, guint last, IceNetwork& network) {
  if (first == 0 && last == kLastPort) return true;
  const auto range = webrtcupload::make_udp_port_range(first, last);
  if (const auto* error = std::get_if<IceNetworkError>(&range)) {
    GST_ELEMENT_ERROR(
        self, RESOURCE, SETTINGS,
        ("The properties \"min-udp-port\" and \"max-udp-port\": %s.", error->message.c_str()),
        (nullptr));
    return false;
  }
  network.udp_ports = std::get<UdpPortRange>(range);
  return true;
}

// Several have commas between. False when an error has been posted.
bool read_announced(GstWebrtcUploadServer* self, const std::string& list,
                    UploadServer::Settings& settings) {
  std::string wrong;
  for (std::size_t at = 0; at < list.size() && wrong.empty();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    const GCharPtr part(g_strndup(list.c_str() + at, comma - at));
    at = comma + 1;
    auto parsed = webrtcupload::parse_announced_address(g_strstrip(part.get()));
    if (const auto* error = std::get_if<IceNetworkError>(&parsed)) {
      wrong = error->message;
    } else if (webrtcupload::is_loopback_address(settings.address)) {
      wrong = "it is for peers on other machines, and at the address " + settings.address +
              " there are none";
    } else {
      settings.network.announced_addresses.push_back(std::move(std::get<std::string>(parsed)));
    }
  }
  if (wrong.empty()) return true;
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                    ("The property \"announce-address\": %s.", wrong.c_str()), (nullptr));
  return false;
}

std::string upload_state(GstElement* upload) {
  GValue value = G_VALUE_INIT;
  g_object_get_property(G_OBJECT(upload), "state", &value);
  const auto* type = static_cast<GEnumClass*>(g_type_class_peek(G_VALUE_TYPE(&value)));
  const GEnumValue* state =
      g_enum_get_value(const_cast<GEnumClass*>(type), g_value_get_enum(&value));
  const std::string nick = state ? state->value_nick : "";
  g_value_unset(&value);
  return nick;
}

UploadServer::Outcome upload_failure(GstElement* upload) {
  GstStructure* stats = nullptr;
  g_object_get(upload, "stats", &stats, nullptr);
  const webrtcupload::GstStructurePtr owned(stats);
  const char* code = owned ? gst_structure_get_string(owned.get(), "error-code") : nullptr;
  if (!code) return {};
  const char* message = gst_structure_get_string(owned.get(), "error-message");
  return {code, message ? message : code};
}

// As the peer is told; all is well if its bytes have been read.
UploadServer::Outcome upload_outcome(GstElement* upload) {
  const UploadServer::Outcome failure = upload_failure(upload);
  if (!failure.code.empty()) return failure;
  const std::string state = upload_state(upload);
  if (state == "processing" || state == "done") return {};
  return {"cancelled", "The server has ended the upload."};
}

// The server's thread ends before the element does; the thread that tells the application holds it.
UploadServer::Events events_of(GstWebrtcUploadServer* self) {
  UploadServer::Events events;
  events.hold = [self] { return webrtcupload::ref_gobject(G_OBJECT(self)); };
  events.attach = [self](GstElement* webrtcbin) {
    gboolean attached = FALSE;
    g_signal_emit_by_name(self->upload, "attach", webrtcbin, &attached);
  };
  events.detach = [self](GstElement* webrtcbin) {
    webrtcupload::UploadSource::of(self->upload)->detach(webrtcbin);
  };
  events.peer_added = [self](GstElement* webrtcbin) {
    g_signal_emit(self, signals[SIGNAL_PEER_ADDED], 0, webrtcbin);
  };
  events.peer_removed = [self](GstElement* webrtcbin) {
    g_signal_emit(self, signals[SIGNAL_PEER_REMOVED], 0, webrtcbin);
  };
  events.upload_label = [self] {
    char* label = nullptr;
    g_object_get(self->upload, "channel-label", &label, nullptr);
    const webrtcupload::GCharPtr owned(label);
    return std::string(label ? label : "");
  };
  events.not_begun = [self](const std::string& why) {
    GST_ELEMENT_INFO(self, RESOURCE, READ, ("The peer has lost its place: %s.", why.c_str()),
                     (nullptr));
  };
  events.upload_begun = [self] { return upload_state(self->upload) != "idle"; };
  events.max_size = [self] {
    webrtcupload::Limits limits;
    guint64 size = 0;
    g_object_get(self->upload, "max-size", &size, "max-chunks", &limits.max_chunks,
                 "max-chunk-size", &limits.max_chunk_size, nullptr);
    limits.max_size = size;
    return webrtcupload::reachable_size(limits);
  };
  events.outcome = [self] { return upload_outcome(self->upload); };
  events.give_up = [self] { g_signal_emit_by_name(self->upload, "cancel"); };
  events.failure = [self] { return upload_failure(self->upload); };
  events.distrusted = [self](const std::string& why) {
    GST_ELEMENT_WARNING(self, RESOURCE, NOT_AUTHORIZED,
                        ("The upload is given up: %s.", why.c_str()), (nullptr));
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

bool start_server(GstWebrtcUploadServer* self) {
  UploadServer::Settings settings;
  GST_OBJECT_LOCK(self);
  settings.address = self->state->address;
  settings.port = static_cast<std::uint16_t>(self->state->port);
  const std::string api_key = self->state->api_key;
  settings.connect_timeout =
      std::chrono::milliseconds(GST_TIME_AS_MSECONDS(self->state->connect_timeout));
  const guint min_udp_port = self->state->min_udp_port;
  const guint max_udp_port = self->state->max_udp_port;
  const std::string announced = self->state->announce_address;
  const std::string stun = self->state->stun_server;
  const std::string turn = self->state->turn_server;
  const std::string origins = self->state->allowed_origins;
  GST_OBJECT_UNLOCK(self);
  auto address = webrtcupload::listen_address(settings.address);
  if (!address) {
    GST_ELEMENT_ERROR(
        self, RESOURCE, SETTINGS,
        ("The property \"address\": \"%s\" is not an IP address.", settings.address.c_str()),
        (nullptr));
    return false;
  }
  settings.address = std::move(*address);
  if (!add_ice_server(self, "stun-server", stun, settings.ice_servers) ||
      !add_ice_server(self, "turn-server", turn, settings.ice_servers)) {
    return false;
  }
  if (!read_udp_ports(self, min_udp_port, max_udp_port, settings.network) ||
      !read_announced(self, announced, settings)) {
    return false;
  }
  if (const std::string wrong = api_key.empty() ? "" : settings.keys.add(api_key); !wrong.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("The property \"api-key\": %s.", wrong.c_str()),
                      (nullptr));
    return false;
  }
  const std::string wrong = origins.empty() ? "" : settings.origins.add_list(origins);
  if (!wrong.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The property \"allowed-origins\": %s.", wrong.c_str()), (nullptr));
    return false;
  }
  if (settings.keys.empty() && !webrtcupload::is_loopback_address(settings.address)) {
    GST_ELEMENT_WARNING(
        self, RESOURCE, SETTINGS,
        ("Everybody who can reach %s may upload: there is no api-key.", settings.address.c_str()),
        (nullptr));
  }
  std::string problem;
  const std::string listens = settings.address;
  auto server = UploadServer::start(std::move(settings), events_of(self), problem);
  if (!server) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ,
                      ("The server does not start: %s.", problem.c_str()), (nullptr));
    return false;
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
  ServerState& state = *self->state;
  const auto text = [value] {
    const char* string = g_value_get_string(value);
    return std::string(string ? string : "");
  };
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_ADDRESS:
      state.address = text();
      break;
    case PROP_PORT:
      state.port = g_value_get_uint(value);
      break;
    case PROP_STUN_SERVER:
      state.stun_server = text();
      break;
    case PROP_TURN_SERVER:
      state.turn_server = text();
      break;
    case PROP_MIN_UDP_PORT:
      state.min_udp_port = g_value_get_uint(value);
      break;
    case PROP_MAX_UDP_PORT:
      state.max_udp_port = g_value_get_uint(value);
      break;
    case PROP_ANNOUNCE_ADDRESS:
      state.announce_address = text();
      break;
    case PROP_API_KEY:
      state.api_key = text();
      break;
    case PROP_ALLOWED_ORIGINS:
      state.allowed_origins = text();
      break;
    case PROP_CONNECT_TIMEOUT:
      state.connect_timeout = g_value_get_uint64(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void gst_webrtc_upload_server_get_property(GObject* object, guint id, GValue* value,
                                                  GParamSpec* pspec) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(object);
  const ServerState& state = *self->state;
  const auto set_text = [value](const std::string& text) {
    g_value_set_string(value, text.empty() ? nullptr : text.c_str());
  };
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_ADDRESS:
      set_text(state.address);
      break;
    case PROP_PORT:
      g_value_set_uint(value, state.actual_port ? state.actual_port : state.port);
      break;
    case PROP_STUN_SERVER:
      set_text(state.stun_server);
      break;
    case PROP_TURN_SERVER:
      set_text(state.turn_server);
      break;
    case PROP_MIN_UDP_PORT:
      g_value_set_uint(value, state.min_udp_port);
      break;
    case PROP_MAX_UDP_PORT:
      g_value_set_uint(value, state.max_udp_port);
      break;
    case PROP_ANNOUNCE_ADDRESS:
      set_text(state.announce_address);
      break;
    case PROP_ALLOWED_ORIGINS:
      set_text(state.allowed_origins);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint64(value, state.connect_timeout);
      break;
    case PROP_URL:
      set_text(state.url);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void gst_webrtc_upload_server_finalize(GObject* object) {
  auto* self = GST_WEBRTC_UPLOAD_SERVER(object);
  delete self->state;
  gst_clear_object(&self->upload);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void install_properties(GObjectClass* object_class) {
  constexpr auto kText = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                  GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, PROP_ADDRESS,
      g_param_spec_string(
          "address", "Address",
          "IP address, or localhost, to listen on. With a loopback address the WebRTC connection "
          "stays on this machine as well",
          kDefaultAddress, kText));
  g_object_class_install_property(
      object_class, PROP_PORT,
      g_param_spec_uint(
          "port", "Port",
          "TCP port to listen on; 0 = any that is free, which is read back here while "
          "the element is PAUSED or PLAYING",
          0, 65535, kDefaultPort, kText));
  g_object_class_install_property(
      object_class, PROP_STUN_SERVER,
      g_param_spec_string("stun-server", "STUN server",
                          "STUN server, as stun://host:port. Not used on a loopback address",
                          nullptr, kText));
  g_object_class_install_property(
      object_class, PROP_TURN_SERVER,
      g_param_spec_string("turn-server", "TURN server",
                          "TURN server, as turn://user:password@host:port or turns://...; user and "
                          "password percent-encoded. Not used on a loopback address",
                          nullptr, kText));
  g_object_class_install_property(
      object_class, PROP_MIN_UDP_PORT,
      g_param_spec_uint(
          "min-udp-port", "Lowest UDP port",
          "First of the UDP ports for WebRTC, at least 1024; 0 with max-udp-port 65535 "
          "= any that is free. ICE uses no TCP when ports are set",
          0, kLastPort, 0, kText));
  g_object_class_install_property(
      object_class, PROP_MAX_UDP_PORT,
      g_param_spec_uint("max-udp-port", "Highest UDP port", "Last of the UDP ports for WebRTC", 0,
                        kLastPort, kLastPort, kText));
  g_object_class_install_property(
      object_class, PROP_ANNOUNCE_ADDRESS,
      g_param_spec_string("announce-address", "Announced address",
                          "IP address at which peers reach this machine over UDP, told to them in "
                          "place of its own of the same family (1:1 NAT, a container); several "
                          "with commas between. Not on a loopback address",
                          nullptr, kText));
  g_object_class_install_property(
      object_class, PROP_API_KEY,
      g_param_spec_string(
          "api-key", "API key",
          "What a client has to show as Bearer token to be let in, of printable "
          "ASCII without spaces; none: everybody who reaches the address may upload",
          nullptr,
          static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS |
                                   GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_ALLOWED_ORIGINS,
      g_param_spec_string(
          "allowed-origins", "Allowed origins",
          "Web pages that may use this server beside its own, as "
          "scheme://host[:port] with commas between; none: only its own. Pages of "
          "other origins are refused. * = all pages may. Programs are not concerned",
          nullptr, kText));
  g_object_class_install_property(
      object_class, PROP_CONNECT_TIMEOUT,
      g_param_spec_uint64("connect-timeout", "Connect timeout",
                          "Nanoseconds that a peer has to connect and to begin its upload, before "
                          "its place is given to another",
                          GST_MSECOND, 24 * 3600 * GST_SECOND, kDefaultConnectTimeout, kText));
  g_object_class_install_property(
      object_class, PROP_URL,
      g_param_spec_string("url", "URL", "Where it listens, while it does", nullptr,
                          static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
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
  GST_DEBUG_CATEGORY_INIT(webrtc_upload_server_debug, "webrtcuploadserver", 0,
                          "Uploads over WebRTC, signalling included");
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
  gst_bin_add(GST_BIN(self), self->upload);
  const GstPtr<GstPad> inner(gst_element_get_static_pad(self->upload, "src"));
  gst_element_add_pad(GST_ELEMENT(self),
                      gst_ghost_pad_new_from_template("src", inner.get(), source_template.get()));
}
