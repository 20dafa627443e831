// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session_types.h"

#include <utility>

#include "json/json.h"

namespace webrtcupload {
namespace {

JsonNodePtr string_list(const std::vector<std::string>& strings) {
  JsonArray* array = json_array_new();
  for (const std::string& string : strings) json_array_add_string_element(array, string.c_str());
  JsonNodePtr node(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(node.get(), array);
  return node;
}

std::optional<std::chrono::milliseconds> read_milliseconds(JsonObject* object, const char* name) {
  const auto value = json_integer(object, name);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::uint64_t read_count(JsonObject* object, const char* name) {
  const auto value = json_integer(object, name);
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

}  // namespace

std::string config_line(const SessionConfig& config) {
  JsonWriter line;
  line.set("session", config.id)
      .set("offer_sdp", config.offer_sdp)
      .set("pipeline", config.pipeline)
      .set("ice_addresses", string_list(config.ice_addresses))
      .set("connect_timeout_ms", std::int64_t{config.connect_timeout.count()});
  if (config.max_size) line.set("max_size", *config.max_size);
  if (config.idle_timeout) {
    line.set("idle_timeout_ms", std::int64_t{config.idle_timeout->count()});
  }
  if (config.upload_timeout) {
    line.set("upload_timeout_ms", std::int64_t{config.upload_timeout->count()});
  }
  if (config.spool_directory) line.set("spool_directory", *config.spool_directory);
  return line.text();
}

std::optional<SessionConfig> parse_config_line(std::string_view line) {
  auto parsed = parse_json_object(line);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return std::nullopt;
  JsonObject* object = json_node_get_object(node->get());
  auto id = json_string(object, "session");
  auto offer = json_string(object, "offer_sdp");
  auto pipeline = json_string(object, "pipeline");
  const auto connect_timeout = read_milliseconds(object, "connect_timeout_ms");
  if (!id || !offer || !pipeline || !connect_timeout) return std::nullopt;

  SessionConfig config;
  config.id = std::move(*id);
  config.offer_sdp = std::move(*offer);
  config.pipeline = std::move(*pipeline);
  config.connect_timeout = *connect_timeout;
  JsonNode* addresses = json_member(object, "ice_addresses");
  if (addresses && JSON_NODE_HOLDS_ARRAY(addresses)) {
    JsonArray* array = json_node_get_array(addresses);
    for (guint i = 0; i < json_array_get_length(array); ++i) {
      config.ice_addresses.emplace_back(json_array_get_string_element(array, i));
    }
  }
  if (const auto size = json_integer(object, "max_size")) {
    config.max_size = static_cast<std::uint64_t>(*size);
  }
  config.idle_timeout = read_milliseconds(object, "idle_timeout_ms");
  config.upload_timeout = read_milliseconds(object, "upload_timeout_ms");
  config.spool_directory = json_string(object, "spool_directory");
  return config;
}

std::string answer_line(const std::string& sdp) {
  return JsonWriter().set("event", "answer").set("sdp", sdp).text();
}

std::string refused_line(const HttpError& error) {
  return JsonWriter()
      .set("event", "refused")
      .set("status", static_cast<int>(error.status))
      .set("error_type", error.error_type)
      .set("message", error.message)
      .text();
}

std::string end_line(const std::string& session, const SessionEnd& end) {
  JsonWriter line;
  line.set("event", "end").set("session", session).set("status", end.done ? "done" : "failed");
  if (end.done) {
    line.set_null("code").set_null("message");
  } else {
    line.set("code", end.code).set("message", end.message);
  }
  return line.set("frames", end.frames).set("bytes", end.bytes).set("chunks", end.chunks).text();
}

ChildLine parse_child_line(const std::string& session, std::string_view line) {
  auto parsed = parse_json_object(line);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return BadLine{};
  JsonObject* object = json_node_get_object(node->get());
  const std::string event = json_string(object, "event").value_or("");
  if (event == "frame") {
    if (json_string(object, "session") == session) return FrameLine{};
  } else if (event == "answer") {
    if (auto sdp = json_string(object, "sdp")) return AnswerLine{std::move(*sdp)};
  } else if (event == "refused") {
    const auto status = json_integer(object, "status").value_or(500);
    return HttpError{status >= 400 && status <= 599 ? static_cast<unsigned>(status) : 500,
                     json_string(object, "error_type").value_or("InternalError"),
                     json_string(object, "message").value_or(""),
                     {}};
  } else if (event == "end") {
    SessionEnd end;
    end.done = json_string(object, "status") == "done";
    end.code = json_string(object, "code").value_or("");
    end.message = json_string(object, "message").value_or("");
    end.frames = read_count(object, "frames");
    end.bytes = read_count(object, "bytes");
    end.chunks = read_count(object, "chunks");
    return end;
  }
  return BadLine{};
}

}  // namespace webrtcupload
