// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/worker_request.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "json/json.h"
#include "json/printable.h"

namespace webrtcupload {
namespace {

using Path = std::vector<std::string>;

bool is_null(JsonNode* node) { return !node || JSON_NODE_HOLDS_NULL(node); }

bool is_string(JsonNode* node) {
  return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

// Reads the members of one JSON object, and lists what has the wrong shape. Members that are
// optional may be null, too.
class Fields {
 public:
  Fields(JsonObject* object, Path path, std::vector<HttpError::Detail>& details)
      : object_(object), path_(std::move(path)), details_(details) {}

  [[nodiscard]] JsonNode* node(const char* name) const { return json_member(object_, name); }

  void wrong(const Path& where, std::string message, std::string type) const {
    Path path = path_;
    path.insert(path.end(), where.begin(), where.end());
    details_.push_back({std::move(path), std::move(message), std::move(type)});
  }

  std::optional<std::string> required_string(const char* name) const {
    if (!node(name)) {
      wrong({name}, "Field required", "missing");
      return std::nullopt;
    }
    auto value = json_string(object_, name);
    if (!value) wrong({name}, "Input should be a string", "string_type");
    return value;
  }

  std::optional<std::string> string(const char* name, std::size_t max_bytes) const {
    if (is_null(node(name))) return std::nullopt;
    auto value = required_string(name);
    if (value && value->size() > max_bytes) {
      wrong({name}, "Input should have at most " + std::to_string(max_bytes) + " bytes",
            "string_too_long");
      return std::nullopt;
    }
    return value;
  }

  std::optional<bool> boolean(const char* name) const {
    if (is_null(node(name))) return std::nullopt;
    const auto value = json_boolean(object_, name);
    if (!value) wrong({name}, "Input should be a boolean", "bool_type");
    return value;
  }

  std::optional<double> number(const char* name) const {
    if (is_null(node(name))) return std::nullopt;
    auto value = json_number(object_, name);
    if (!value) {
      wrong({name}, "Input should be a number", "float_type");
    } else if (!std::isfinite(*value)) {
      wrong({name}, "Input should be a finite number", "finite_number");
      return std::nullopt;
    }
    return value;
  }

  JsonObject* object(const char* name) const {
    JsonNode* value = node(name);
    if (is_null(value)) return nullptr;
    if (JSON_NODE_HOLDS_OBJECT(value)) return json_node_get_object(value);
    wrong({name}, "Input should be an object", "object_type");
    return nullptr;
  }

  JsonArray* list(const char* name, std::size_t max_length) const {
    JsonNode* value = node(name);
    if (is_null(value)) return nullptr;
    if (!JSON_NODE_HOLDS_ARRAY(value)) {
      wrong({name}, "Input should be a list", "list_type");
      return nullptr;
    }
    JsonArray* array = json_node_get_array(value);
    if (json_array_get_length(array) > max_length) {
      wrong({name}, "List should have at most " + std::to_string(max_length) + " items",
            "too_long");
      return nullptr;
    }
    return array;
  }

  // Items that are null are left out: old clients write a lone [null] for "nothing said".
  std::optional<std::vector<std::string>> strings(const char* name, std::size_t max_length,
                                                  std::size_t max_bytes) const {
    JsonArray* array = list(name, max_length);
    if (!array) return std::nullopt;
    std::vector<std::string> strings;
    const guint length = json_array_get_length(array);
    for (guint i = 0; i < length; ++i) {
      JsonNode* item = json_array_get_element(array, i);
      if (is_null(item)) continue;
      if (!is_string(item)) {
        wrong({name, std::to_string(i)}, "Input should be a string", "string_type");
        continue;
      }
      std::string text = json_node_get_string(item);
      if (text.size() > max_bytes) {
        wrong({name, std::to_string(i)},
              "Input should have at most " + std::to_string(max_bytes) + " bytes",
              "string_too_long");
        continue;
      }
      strings.push_back(std::move(text));
    }
    if (strings.empty() && length > 0) return std::nullopt;
    return strings;
  }

 private:
  JsonObject* object_;
  const Path path_;
  std::vector<HttpError::Detail>& details_;
};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void read_ice_url(const Fields& fields, const Path& where, std::string_view text,
                  IceServer& server) {
  auto parsed = parse_ice_url(text);
  if (const auto* error = std::get_if<IceUrlError>(&parsed)) {
    fields.wrong(where, "The URL " + error->message, "url_parsing");
  } else if (auto& url = std::get<std::string>(parsed); !url.empty()) {
    server.urls.push_back(std::move(url));
  }
}

// An RTCIceServer, or the older webrtc_turn_config, which is one with a single URL.
void read_ice_server(const Fields& fields, const WorkerRequestLimits& limits,
                     std::size_t& urls_seen, std::vector<IceServer>& servers) {
  IceServer server;
  JsonNode* urls = fields.node("urls");
  if (!urls) {
    fields.wrong({"urls"}, "Field required", "missing");
  } else if (is_string(urls)) {
    ++urls_seen;
    read_ice_url(fields, {"urls"}, json_node_get_string(urls), server);
  } else if (!JSON_NODE_HOLDS_ARRAY(urls)) {
    fields.wrong({"urls"}, "Input should be a string or a list of strings", "string_type");
  } else if (JsonArray* list = fields.list("urls", limits.max_ice_urls)) {
    const guint length = json_array_get_length(list);
    urls_seen += length;
    for (guint i = 0; i < length; ++i) {
      JsonNode* item = json_array_get_element(list, i);
      const Path where = {"urls", std::to_string(i)};
      if (is_string(item)) {
        read_ice_url(fields, where, json_node_get_string(item), server);
      } else {
        fields.wrong(where, "Input should be a string", "string_type");
      }
    }
  }
  for (const char* name : {"username", "credential"}) {
    const auto text = fields.string(name, limits.max_key_bytes);
    if (!text) continue;
    if (has_control(*text)) {
      fields.wrong({name}, "Input should have no control characters", "string_pattern_mismatch");
    }
    (name[0] == 'u' ? server.username : server.credential) = *text;
  }
  const bool relays = std::any_of(server.urls.begin(), server.urls.end(),
                                  [](const std::string& url) { return url.starts_with("turn"); });
  if (relays && (server.username.empty() || server.credential.empty())) {
    fields.wrong({server.username.empty() ? "username" : "credential"},
                 "A TURN server needs a username and a credential", "missing");
  }
  if (!server.urls.empty()) servers.push_back(std::move(server));
}

std::vector<IceServer> read_ice_servers(const Fields& root, const WorkerRequestLimits& limits,
                                        std::vector<HttpError::Detail>& details) {
  std::vector<IceServer> servers;
  std::size_t urls = 0;
  if (JsonObject* config = root.object("webrtc_config")) {
    const Fields fields(config, {"webrtc_config"}, details);
    JsonArray* list = fields.list("iceServers", limits.max_ice_servers);
    for (guint i = 0; list && i < json_array_get_length(list); ++i) {
      const Path where = {"webrtc_config", "iceServers", std::to_string(i)};
      JsonNode* item = json_array_get_element(list, i);
      if (!JSON_NODE_HOLDS_OBJECT(item)) {
        fields.wrong({"iceServers", std::to_string(i)}, "Input should be an object", "object_type");
        continue;
      }
      read_ice_server(Fields(json_node_get_object(item), where, details), limits, urls, servers);
    }
    if (urls > limits.max_ice_urls) {
      fields.wrong(
          {"iceServers"},
          "There should be at most " + std::to_string(limits.max_ice_urls) + " URLs in all",
          "too_long");
    }
  } else if (JsonObject* turn = root.object("webrtc_turn_config")) {
    read_ice_server(Fields(turn, {"webrtc_turn_config"}, details), limits, urls, servers);
  }
  return servers;
}

JsonNodePtr string_list(const std::vector<std::string>& strings) {
  JsonArray* array = json_array_new();
  for (const std::string& string : strings) json_array_add_string_element(array, string.c_str());
  JsonNodePtr node(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(node.get(), array);
  return node;
}

HttpError unknown_output(const char* field, const std::string& name,
                         const std::vector<std::string>& there_are) {
  std::string list;
  for (const std::string& output : there_are) list += (list.empty() ? "" : ", ") + output;
  return {
      400,
      "UnknownOutput",
      std::string(field) + " names \"" + printable(name) + "\", but there is only: " + list + ".",
      {}};
}

}  // namespace

std::variant<WorkerRequest, HttpError> parse_worker_request(std::string_view body,
                                                            const WorkerRequestLimits& limits) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return HttpError{400, "BadRequest", "The request body " + error->message + ".", {}};
  }
  std::vector<HttpError::Detail> details;
  const Fields root(json_node_get_object(std::get<JsonNodePtr>(parsed).get()), {}, details);
  WorkerRequest request;

  JsonNode* offer_node = root.node("webrtc_offer");
  if (!offer_node) {
    root.wrong({"webrtc_offer"}, "Field required", "missing");
  } else if (!JSON_NODE_HOLDS_OBJECT(offer_node)) {
    root.wrong({"webrtc_offer"}, "Input should be an object", "object_type");
  } else {
    const Fields offer(json_node_get_object(offer_node), {"webrtc_offer"}, details);
    const auto type = offer.required_string("type");
    if (type && *type != "offer") {
      offer.wrong({"type"}, "Input should be 'offer'", "literal_error");
    }
    request.offer_sdp = offer.required_string("sdp").value_or("");
  }
  if (JsonObject* object = root.object("workflow_configuration")) {
    const Fields workflow(object, {"workflow_configuration"}, details);
    request.workflow_id = workflow.string("workflow_id", limits.max_name_bytes);
    request.workspace_name = workflow.string("workspace_name", limits.max_name_bytes);
    // Known, and without a meaning here: what is analysed how is the operator's choice.
    (void)workflow.string("image_input_name", limits.max_name_bytes);
    (void)workflow.object("workflow_specification");
    (void)workflow.object("workflows_parameters");
  }
  request.api_key = root.string("api_key", limits.max_key_bytes);
  // It may go into a header.
  if (request.api_key && has_control(*request.api_key)) {
    root.wrong({"api_key"}, "String should have no control characters", "string_pattern_mismatch");
    request.api_key.reset();
  }
  request.realtime = root.boolean("webrtc_realtime_processing").value_or(true);
  request.stream_output = root.strings("stream_output", limits.max_outputs, limits.max_name_bytes);
  request.data_output = root.strings("data_output", limits.max_outputs, limits.max_name_bytes);
  if (const auto fps = root.number("declared_fps")) {
    if (*fps < 0 || *fps > limits.max_declared_fps) {
      root.wrong(
          {"declared_fps"},
          "Input should be between 0 and " + std::to_string(std::lround(limits.max_declared_fps)),
          *fps < 0 ? "greater_than_equal" : "less_than_equal");
    } else if (*fps > 0) {
      request.declared_fps = fps;
    }
  }
  if (const auto seconds = root.number("processing_timeout")) {
    if (*seconds <= 0) {
      root.wrong({"processing_timeout"}, "Input should be greater than 0", "greater_than");
    } else {
      request.processing_timeout = seconds;
    }
  }
  request.ice_servers = read_ice_servers(root, limits, details);
  if (!details.empty()) return HttpError{422, "", "", std::move(details)};
  return request;
}

std::variant<ChosenOutputs, HttpError> choose_outputs(const WorkerRequest& request,
                                                      std::string_view findings) {
  const std::vector<std::string> there_are = {std::string(findings), std::string(kImageOutput)};
  ChosenOutputs chosen;
  for (const std::string& name : request.data_output.value_or(std::vector<std::string>{})) {
    if (std::find(chosen.data.begin(), chosen.data.end(), name) != chosen.data.end()) continue;
    if (name != "*" && std::find(there_are.begin(), there_are.end(), name) == there_are.end()) {
      return unknown_output("data_output", name, there_are);
    }
    chosen.data.push_back(name);
  }
  if (!request.stream_output) {
    chosen.video = kImageOutput;
    return chosen;
  }
  for (const std::string& name : *request.stream_output) {
    if (name != kImageOutput) {
      return unknown_output("stream_output", name, {std::string(kImageOutput)});
    }
  }
  if (!request.stream_output->empty()) chosen.video = request.stream_output->front();
  return chosen;
}

std::variant<std::vector<IceServer>, HttpError> choose_ice_servers(const WorkerRequest& request,
                                                                   ClientIceServers clients,
                                                                   std::vector<IceServer> own) {
  if (request.ice_servers.empty() || clients == ClientIceServers::kIgnore) return own;
  if (clients == ClientIceServers::kRefuse) {
    return HttpError{400,
                     "IceServersRefused",
                     "This server uses no STUN or TURN servers that a client names: leave "
                     "webrtc_config and webrtc_turn_config out.",
                     {}};
  }
  own.insert(own.end(), request.ice_servers.begin(), request.ice_servers.end());
  return own;
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
  if (request.declared_fps) root.set("declared_fps", *request.declared_fps);
  root.set("webrtc_realtime_processing", request.realtime);
  if (request.stream_output) root.set("stream_output", string_list(*request.stream_output));
  if (request.data_output) root.set("data_output", string_list(*request.data_output));
  return root.text();
}

WorkerReply parse_worker_reply(unsigned status, std::string_view body) {
  auto parsed = parse_json_object(body);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  JsonObject* root = node ? json_node_get_object(node->get()) : nullptr;
  // The second is of a further connection.
  if (status == 200 || status == 201) {
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
