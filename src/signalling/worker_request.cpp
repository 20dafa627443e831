// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/worker_request.h"

#include <cmath>
#include <utility>
#include <vector>

#include "json/json.h"

namespace webrtcupload {
namespace {

using Details = std::vector<HttpError::Detail>;

bool is_null(JsonNode* node) { return !node || JSON_NODE_HOLDS_NULL(node); }

// A string, or null or missing when optional.
std::optional<std::string> read_string(JsonObject* object, const char* name,
                                       std::vector<std::string> location, bool required,
                                       Details& details) {
  location.emplace_back(name);
  JsonNode* node = json_member(object, name);
  if (!node && required) {
    details.push_back({std::move(location), "Field required", "missing"});
    return std::nullopt;
  }
  if (is_null(node) && !required) return std::nullopt;
  auto value = json_string(object, name);
  if (!value) details.push_back({std::move(location), "Input should be a string", "string_type"});
  return value;
}

JsonObject* read_object(JsonObject* object, const char* name, bool required, Details& details) {
  JsonNode* node = json_member(object, name);
  if (!node && required) {
    details.push_back({{name}, "Field required", "missing"});
    return nullptr;
  }
  if (is_null(node) && !required) return nullptr;
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    details.push_back({{name}, "Input should be an object", "object_type"});
    return nullptr;
  }
  return json_node_get_object(node);
}

}  // namespace

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

std::variant<WorkerRequest, HttpError> parse_worker_request(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return HttpError{400, "BadRequest", "The request body " + error->message + ".", {}};
  }
  JsonObject* root = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  WorkerRequest request;
  Details details;

  if (JsonObject* offer = read_object(root, "webrtc_offer", true, details)) {
    const auto type = read_string(offer, "type", {"webrtc_offer"}, true, details);
    if (type && *type != "offer") {
      details.push_back({{"webrtc_offer", "type"}, "Input should be 'offer'", "literal_error"});
    }
    if (auto sdp = read_string(offer, "sdp", {"webrtc_offer"}, true, details)) {
      request.offer_sdp = std::move(*sdp);
    }
  }
  if (JsonObject* workflow = read_object(root, "workflow_configuration", false, details)) {
    request.workflow_id =
        read_string(workflow, "workflow_id", {"workflow_configuration"}, false, details);
  }
  request.api_key = read_string(root, "api_key", {}, false, details);
  if (!is_null(json_member(root, "processing_timeout"))) {
    const auto seconds = json_number(root, "processing_timeout");
    if (!seconds) {
      details.push_back({{"processing_timeout"}, "Input should be a number", "float_type"});
    } else if (!std::isfinite(*seconds) || *seconds <= 0) {
      details.push_back({{"processing_timeout"}, "Input should be greater than 0", "greater_than"});
    } else {
      request.processing_timeout = seconds;
    }
  }
  if (!details.empty()) return HttpError{422, "", "", std::move(details)};
  return request;
}

std::string worker_reply(std::string_view answer_sdp) {
  JsonWriter context;
  // A pipeline_id makes the JavaScript client call a hosted service when it ends.
  context.set_null("request_id").set_null("pipeline_id");
  return JsonWriter()
      .set("status", "success")
      .set("context", std::move(context))
      .set("sdp", answer_sdp)
      .set("type", "answer")
      .text();
}

std::string write_worker_request(const WorkerRequest& request) {
  JsonWriter root;
  JsonWriter offer;
  offer.set("type", "offer").set("sdp", request.offer_sdp);
  root.set("webrtc_offer", std::move(offer));
  if (request.workflow_id) {
    JsonWriter workflow;
    workflow.set("type", "WorkflowConfiguration").set("workflow_id", *request.workflow_id);
    root.set("workflow_configuration", std::move(workflow));
  }
  if (request.processing_timeout) root.set("processing_timeout", *request.processing_timeout);
  root.set("webrtc_realtime_processing", false);
  JsonNodePtr none(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(none.get(), json_array_new());
  root.set("stream_output", std::move(none));
  return root.text();
}

WorkerReply parse_worker_reply(unsigned status, std::string_view body) {
  auto parsed = parse_json_object(body);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  JsonObject* root = node ? json_node_get_object(node->get()) : nullptr;
  if (status == 200) {
    if (root) {
      if (auto sdp = json_string(root, "sdp")) return {std::move(sdp), ""};
    }
    return {std::nullopt, "the server's reply holds no answer"};
  }
  WorkerReply reply{std::nullopt, "the server answered with HTTP status " + std::to_string(status)};
  if (root) {
    if (const auto message = json_string(root, "message")) reply.problem += ": " + *message;
    JsonNode* detail = json_member(root, "detail");
    if (detail && JSON_NODE_HOLDS_ARRAY(detail)) {
      char* text = json_to_string(detail, FALSE);
      reply.problem += std::string(": ") + text;
      g_free(text);
    }
  }
  return reply;
}

}  // namespace webrtcupload
