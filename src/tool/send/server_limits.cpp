// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/server_limits.h"

#include <gio/gio.h>

#include <algorithm>
#include <cstdint>

#include "glib/glib_ptr.h"
#include "json/json.h"

namespace webrtcupload {

ServerLimits parse_server_limits(unsigned status, std::string_view body) {
  ServerLimits limits;
  if (status != 200) return limits;
  auto parsed = parse_json_object(body);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  JsonObject* object = node ? json_node_get_object(node->get()) : nullptr;
  const auto protocols = object ? json_names(object, "protocols") : std::nullopt;
  if (!protocols) return limits;
  const auto speaks = [&](const char* name) {
    return std::find(protocols->begin(), protocols->end(), name) != protocols->end();
  };
  limits.v1 = speaks("v1");
  limits.v2 = speaks("v2");
  limits.max_connections = static_cast<unsigned>(std::clamp<std::int64_t>(
      json_integer(object, "max_connections").value_or(1), 1, kMostConnections));
  return limits;
}

std::string limits_url(const std::string& endpoint) {
  const GCharPtr url(g_uri_resolve_relative(endpoint.c_str(), "limits", G_URI_FLAGS_NONE, nullptr));
  return url ? url.get() : "";
}

}  // namespace webrtcupload
