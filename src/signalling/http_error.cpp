// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_error.h"

#include <utility>

#include "json/json.h"

namespace webrtcupload {

std::string HttpError::body() const {
  if (detail.empty()) {
    return JsonWriter().set("message", message).set("error_type", error_type).text();
  }
  JsonArray* list = json_array_new();
  for (const Detail& entry : detail) {
    JsonArray* location = json_array_new();
    json_array_add_string_element(location, "body");
    for (const std::string& part : entry.location) {
      json_array_add_string_element(location, part.c_str());
    }
    JsonNodePtr location_node(json_node_new(JSON_NODE_ARRAY));
    json_node_take_array(location_node.get(), location);
    JsonWriter item;
    item.set("loc", std::move(location_node)).set("msg", entry.message).set("type", entry.type);
    json_array_add_element(list, std::move(item).take().release());
  }
  JsonNodePtr list_node(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(list_node.get(), list);
  return JsonWriter().set("detail", std::move(list_node)).text();
}

}  // namespace webrtcupload
