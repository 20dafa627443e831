// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcuploadserver/server_settings.h"

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/name_list.h"
#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "signalling/http_server.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {
namespace {

constexpr auto kSecretFlags =
    static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

void store_text(const GValue* value, std::string& member) {
  const char* text = g_value_get_string(value);
  member = text ? text : "";
}

// A text that reads back as null where it is empty, and is empty when it is set to null.
template <typename Member>
void add_text(SettingsProperties<ServerProperties>& properties, GParamSpec* pspec, Member) {
  properties.add(
      pspec,
      [](ServerProperties& server, const GValue* value, GParamSpec*) {
        store_text(value, Member{}(server));
      },
      [](const ServerProperties& server, GValue* value) {
        const std::string& text = Member{}(server);
        g_value_set_string(value, text.empty() ? nullptr : text.c_str());
      });
}

// Adds the server that a property names, if it does. False when an error has been posted.
bool add_ice_server(GstElement* element, const char* property, const std::string& text,
                    std::vector<IceServer>& servers) {
  if (text.empty()) return true;
  auto parsed = parse_ice_server_uri(text);
  if (auto* server = std::get_if<IceServer>(&parsed)) {
    servers.push_back(std::move(*server));
    return true;
  }
  GST_ELEMENT_ERROR(
      element, RESOURCE, SETTINGS,
      ("The property \"%s\" %s.", property, std::get<IceUrlError>(parsed).message.c_str()),
      (nullptr));
  return false;
}

// False when an error has been posted.
bool read_udp_ports(GstElement* element, guint first, guint last, IceNetwork& network) {
  if (first == 0 && last == kLastPort) return true;
  const auto range = make_udp_port_range(first, last);
  if (const auto* error = std::get_if<IceNetworkError>(&range)) {
    GST_ELEMENT_ERROR(
        element, RESOURCE, SETTINGS,
        ("The properties \"min-udp-port\" and \"max-udp-port\": %s.", error->message.c_str()),
        (nullptr));
    return false;
  }
  network.udp_ports = std::get<UdpPortRange>(range);
  return true;
}

// Several have commas between. False when an error has been posted.
bool read_announced(GstElement* element, const std::string& list,
                    UploadServer::Settings& settings) {
  if (list.empty()) return true;
  std::string wrong;
  for (const std::string_view part : list_parts(list)) {
    auto parsed = parse_announced_address(std::string(part));
    if (const auto* error = std::get_if<IceNetworkError>(&parsed)) {
      wrong = error->message;
    } else if (is_loopback_address(settings.address)) {
      wrong = "it is for peers on other machines, and at the address " + settings.address +
              " there are none";
    } else {
      settings.network.announced_addresses.push_back(std::move(std::get<std::string>(parsed)));
    }
    if (!wrong.empty()) break;
  }
  if (wrong.empty()) return true;
  GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS,
                    ("The property \"announce-address\": %s.", wrong.c_str()), (nullptr));
  return false;
}

}  // namespace

void add_server_settings(SettingsProperties<ServerProperties>& properties) {
  const ServerProperties defaults;
  add_text(
      properties,
      g_param_spec_string(
          "address", "Address",
          "IP address, or localhost, to listen on. With a loopback address the WebRTC connection "
          "stays on this machine as well",
          defaults.address.c_str(), kReadyFlags),
      [](auto& s) -> auto& { return s.address; });
  add_text(
      properties,
      g_param_spec_string("stun-server", "STUN server",
                          "STUN server, as stun://host:port. Not used on a loopback address",
                          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.stun_server; });
  add_text(
      properties,
      g_param_spec_string("turn-server", "TURN server",
                          "TURN server, as turn://user:password@host:port or turns://...; user and "
                          "password percent-encoded. Not used on a loopback address",
                          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.turn_server; });
  properties.add(
      g_param_spec_uint(
          "min-udp-port", "Lowest UDP port",
          "First of the UDP ports for WebRTC, at least 1024; 0 with max-udp-port 65535 "
          "= any that is free. ICE uses no TCP when ports are set",
          0, kLastPort, 0, kReadyFlags),
      [](auto& s) -> auto& { return s.min_udp_port; });
  properties.add(
      g_param_spec_uint("max-udp-port", "Highest UDP port", "Last of the UDP ports for WebRTC", 0,
                        kLastPort, kLastPort, kReadyFlags),
      [](auto& s) -> auto& { return s.max_udp_port; });
  add_text(
      properties,
      g_param_spec_string("announce-address", "Announced address",
                          "IP address at which peers reach this machine over UDP, told to them in "
                          "place of its own of the same family (1:1 NAT, a container); several "
                          "with commas between. Not on a loopback address",
                          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.announce_address; });
  properties.add(
      g_param_spec_string(
          "api-key", "API key",
          "What a client has to show as Bearer token to be let in, of printable "
          "ASCII without spaces; none: everybody who reaches the address may upload",
          nullptr, kSecretFlags),
      [](ServerProperties& server, const GValue* value, GParamSpec*) {
        store_text(value, server.api_key);
      },
      // It can only be written.
      [](const ServerProperties&, GValue*) {});
  add_text(
      properties,
      g_param_spec_string(
          "allowed-origins", "Allowed origins",
          "Web pages that may use this server beside its own, as "
          "scheme://host[:port] with commas between; none: only its own. Pages of "
          "other origins are refused. * = all pages may. Programs are not concerned",
          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.allowed_origins; });
  properties.add(
      g_param_spec_uint64("connect-timeout", "Connect timeout",
                          "Nanoseconds that a peer has to connect and to send its first chunk, "
                          "before its place is given to "
                          "another. What a handler of authorize takes is not counted",
                          GST_MSECOND, 24 * (3600 * GST_SECOND), defaults.connect_timeout,
                          kReadyFlags),
      [](auto& s) -> auto& { return s.connect_timeout; });
}

bool read_server_settings(GstElement* element, const ServerProperties& properties,
                          UploadServer::Settings& settings) {
  settings.address = properties.address;
  settings.port = static_cast<std::uint16_t>(properties.port);
  settings.connect_timeout =
      std::chrono::milliseconds(GST_TIME_AS_MSECONDS(properties.connect_timeout));
  auto address = listen_address(settings.address);
  if (!address) {
    GST_ELEMENT_ERROR(
        element, RESOURCE, SETTINGS,
        ("The property \"address\": \"%s\" is not an IP address.", settings.address.c_str()),
        (nullptr));
    return false;
  }
  settings.address = std::move(*address);
  if (!add_ice_server(element, "stun-server", properties.stun_server, settings.ice_servers) ||
      !add_ice_server(element, "turn-server", properties.turn_server, settings.ice_servers)) {
    return false;
  }
  if (!read_udp_ports(element, properties.min_udp_port, properties.max_udp_port,
                      settings.network) ||
      !read_announced(element, properties.announce_address, settings)) {
    return false;
  }
  if (const std::string wrong =
          properties.api_key.empty() ? "" : settings.keys.add(properties.api_key);
      !wrong.empty()) {
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS, ("The property \"api-key\": %s.", wrong.c_str()),
                      (nullptr));
    return false;
  }
  const std::string wrong = properties.allowed_origins.empty()
                                ? ""
                                : settings.origins.add_list(properties.allowed_origins);
  if (!wrong.empty()) {
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS,
                      ("The property \"allowed-origins\": %s.", wrong.c_str()), (nullptr));
    return false;
  }
  // A signaller decides by itself.
  if (!settings.signaller && settings.keys.empty() && !is_loopback_address(settings.address)) {
    GST_ELEMENT_WARNING(
        element, RESOURCE, SETTINGS,
        ("Everybody who can reach %s may upload: there is no api-key.", settings.address.c_str()),
        (nullptr));
  }
  return true;
}

}  // namespace webrtcupload
