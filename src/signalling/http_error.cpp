// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_error.h"

#include <utility>

#include "json/json.h"

namespace webrtcupload {

const char* reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status >= 500 ? "Server Error" : status >= 400 ? "Client Error" : "Status";
  }
}

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
