// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/common/session_types.h"

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

JsonNodePtr ice_server_list(const std::vector<IceServer>& servers) {
  JsonArray* array = json_array_new();
  for (const IceServer& server : servers) {
    JsonWriter item;
    item.set("urls", string_list(server.urls))
        .set("username", server.username)
        .set("credential", server.credential);
    json_array_add_element(array, std::move(item).take().release());
  }
  JsonNodePtr node(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(node.get(), array);
  return node;
}

// Empty if it is missing; nothing if it is no list of strings.
std::optional<std::vector<std::string>> read_strings(JsonObject* object, const char* name) {
  std::vector<std::string> strings;
  JsonNode* node = json_member(object, name);
  if (!node) return strings;
  if (!JSON_NODE_HOLDS_ARRAY(node)) return std::nullopt;
  JsonArray* array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    JsonNode* item = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_STRING) {
      return std::nullopt;
    }
    strings.emplace_back(json_node_get_string(item));
  }
  return strings;
}

std::optional<std::vector<IceServer>> read_ice_servers(JsonObject* object, const char* name) {
  std::vector<IceServer> servers;
  JsonNode* node = json_member(object, name);
  if (!node) return servers;
  if (!JSON_NODE_HOLDS_ARRAY(node)) return std::nullopt;
  JsonArray* array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    JsonNode* item = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_OBJECT(item)) return std::nullopt;
    JsonObject* server = json_node_get_object(item);
    auto urls = read_strings(server, "urls");
    if (!urls) return std::nullopt;
    servers.push_back({std::move(*urls), json_string(server, "username").value_or(""),
                       json_string(server, "credential").value_or("")});
  }
  return servers;
}

void set_milliseconds(JsonWriter& line, const char* name,
                      const std::optional<std::chrono::milliseconds>& value) {
  if (value) line.set(name, std::int64_t{value->count()});
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

void set_sandbox(JsonWriter& line, const SandboxConfig& sandbox) {
  line.set("sandbox", to_string(sandbox.mode))
      .set("sandbox_read", string_list(sandbox.paths.read))
      .set("sandbox_write", string_list(sandbox.paths.write))
      .set("sandbox_network", sandbox.network)
      .set("sandbox_hardware", sandbox.hardware)
      .set("session_user", sandbox.user);
}

// Nothing if it is not all there: a wall that is not understood is not left out.
std::optional<SandboxConfig> read_sandbox(JsonObject* object) {
  const auto mode = parse_sandbox_mode(json_string(object, "sandbox").value_or(""));
  auto read = read_strings(object, "sandbox_read");
  auto write = read_strings(object, "sandbox_write");
  const auto network = json_boolean(object, "sandbox_network");
  const auto hardware = json_boolean(object, "sandbox_hardware");
  auto user = json_string(object, "session_user");
  if (!mode || !read || !write || !network || !hardware || !user) return std::nullopt;
  return SandboxConfig{.mode = *mode,
                       .paths = {.read = std::move(*read), .write = std::move(*write)},
                       .network = *network,
                       .hardware = *hardware,
                       .user = std::move(*user)};
}

void set_error(JsonWriter& line, const HttpError& error) {
  line.set("status", static_cast<int>(error.status))
      .set("error_type", error.error_type)
      .set("message", error.message);
}

HttpError read_error(JsonObject* object) {
  const auto status = json_integer(object, "status").value_or(500);
  return {status >= 400 && status <= 599 ? static_cast<unsigned>(status) : 500,
          json_string(object, "error_type").value_or("InternalError"),
          json_string(object, "message").value_or(""),
          {}};
}

FilmFacts read_film(JsonObject* object) {
  return {.name = json_string(object, "name").value_or(""),
          .content_type = json_string(object, "content_type").value_or(""),
          .sha256 = json_string(object, "sha256").value_or("")};
}

ConnectionNews read_connection_news(JsonObject* object) {
  if (auto sdp = json_string(object, "sdp")) return ConnectionAnswer{std::move(*sdp)};
  if (json_integer(object, "status")) return read_error(object);
  return ConnectionEnded{};
}

}  // namespace

const char* to_string(PolicyQuestion::Point point) {
  return point == PolicyQuestion::Point::kUpload ? "upload" : "running";
}

std::string config_line(const SessionConfig& config) {
  JsonWriter line;
  line.set("session", config.id)
      .set("offer_sdp", config.offer_sdp)
      .set("pipeline", config.pipeline)
      .set("ice_addresses", string_list(config.ice_addresses))
      .set("connect_timeout_ms", std::int64_t{config.connect_timeout.count()});
  if (const auto& ports = config.ice_network.udp_ports) {
    line.set("udp_ports", to_string(*ports));
  }
  line.set("announced_addresses", string_list(config.ice_network.announced_addresses));
  if (config.max_size) line.set("max_size", *config.max_size);
  if (config.max_chunks) line.set("max_chunks", std::uint64_t{*config.max_chunks});
  if (config.min_rate) line.set("min_rate", *config.min_rate);
  if (config.max_pixels) line.set("max_pixels", *config.max_pixels);
  if (config.max_frames) line.set("max_frames", *config.max_frames);
  if (config.max_streams) line.set("max_streams", std::uint64_t{*config.max_streams});
  if (config.protocols) line.set("protocols", std::uint64_t{*config.protocols});
  if (config.max_connections) {
    line.set("max_connections", std::uint64_t{*config.max_connections});
  }
  set_milliseconds(line, "resume_timeout_ms", config.resume_timeout);
  set_milliseconds(line, "max_duration_ms", config.max_duration);
  set_milliseconds(line, "idle_timeout_ms", config.idle_timeout);
  set_milliseconds(line, "upload_timeout_ms", config.upload_timeout);
  set_milliseconds(line, "stall_timeout_ms", config.stall_timeout);
  set_milliseconds(line, "processing_timeout_ms", config.processing_timeout);
  set_milliseconds(line, "quota_interval_ms", config.quota_interval);
  line.set("realtime", config.realtime)
      .set("data_output", string_list(config.data_output))
      .set("allow_elements", config.allow_elements)
      .set("deny_elements", config.deny_elements)
      .set("video_codec", config.video_codec)
      .set("ice_servers", ice_server_list(config.ice_servers))
      .set("asks_policy", config.asks_policy);
  if (config.video_output) line.set("video_output", *config.video_output);
  if (config.declared_fps) line.set("declared_fps", *config.declared_fps);
  if (config.memory_limit) line.set("memory_limit", *config.memory_limit);
  if (config.spool_directory) line.set("spool_directory", *config.spool_directory);
  set_sandbox(line, config.sandbox);
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
  auto addresses = read_strings(object, "ice_addresses");
  auto data_output = read_strings(object, "data_output");
  auto ice_servers = read_ice_servers(object, "ice_servers");
  auto announced = read_strings(object, "announced_addresses");
  auto sandbox = read_sandbox(object);
  if (!addresses || !announced || !data_output || !ice_servers || !sandbox) return std::nullopt;
  config.sandbox = std::move(*sandbox);
  config.ice_addresses = std::move(*addresses);
  config.ice_network.announced_addresses = std::move(*announced);
  if (const auto ports = json_string(object, "udp_ports")) {
    const auto range = parse_udp_port_range(*ports);
    if (!std::holds_alternative<UdpPortRange>(range)) return std::nullopt;
    config.ice_network.udp_ports = std::get<UdpPortRange>(range);
  }
  config.data_output = std::move(*data_output);
  config.ice_servers = std::move(*ice_servers);
  if (const auto size = json_integer(object, "max_size")) {
    config.max_size = static_cast<std::uint64_t>(*size);
  }
  if (const auto chunks = json_integer(object, "max_chunks")) {
    config.max_chunks = static_cast<std::uint32_t>(*chunks);
  }
  if (const auto rate = json_integer(object, "min_rate")) {
    config.min_rate = static_cast<std::uint64_t>(*rate);
  }
  if (const auto pixels = json_integer(object, "max_pixels")) {
    config.max_pixels = static_cast<std::uint64_t>(*pixels);
  }
  if (const auto frames = json_integer(object, "max_frames")) {
    config.max_frames = static_cast<std::uint64_t>(*frames);
  }
  if (const auto streams = json_integer(object, "max_streams")) {
    config.max_streams = static_cast<std::uint32_t>(*streams);
  }
  if (const auto protocols = json_integer(object, "protocols")) {
    config.protocols = static_cast<unsigned>(*protocols);
  }
  if (const auto connections = json_integer(object, "max_connections")) {
    config.max_connections = static_cast<std::uint32_t>(*connections);
  }
  config.resume_timeout = read_milliseconds(object, "resume_timeout_ms");
  config.max_duration = read_milliseconds(object, "max_duration_ms");
  if (const auto limit = json_integer(object, "memory_limit")) {
    config.memory_limit = static_cast<std::uint64_t>(*limit);
  }
  config.idle_timeout = read_milliseconds(object, "idle_timeout_ms");
  config.upload_timeout = read_milliseconds(object, "upload_timeout_ms");
  config.spool_directory = json_string(object, "spool_directory");
  config.stall_timeout = read_milliseconds(object, "stall_timeout_ms");
  config.processing_timeout = read_milliseconds(object, "processing_timeout_ms");
  config.quota_interval = read_milliseconds(object, "quota_interval_ms");
  config.realtime = json_boolean(object, "realtime").value_or(false);
  config.video_output = json_string(object, "video_output");
  config.allow_elements = json_string(object, "allow_elements").value_or("");
  config.deny_elements = json_string(object, "deny_elements").value_or("");
  config.video_codec = json_string(object, "video_codec").value_or(config.video_codec);
  config.declared_fps = json_number(object, "declared_fps");
  config.asks_policy = json_boolean(object, "asks_policy").value_or(false);
  return config;
}

void set_film(JsonWriter& json, const FilmFacts& film) {
  for (const auto& [name, text] :
       {std::pair("name", &film.name), std::pair("content_type", &film.content_type),
        std::pair("sha256", &film.sha256)}) {
    if (text->empty()) {
      json.set_null(name);
    } else {
      json.set(name, *text);
    }
  }
}

std::string answer_line(const std::string& sdp) {
  return JsonWriter().set("event", "answer").set("sdp", sdp).text();
}

std::string refused_line(const HttpError& error) {
  JsonWriter line;
  line.set("event", "refused");
  set_error(line, error);
  return line.text();
}

std::string connection_line(const std::string& connection, const ConnectionNews& news) {
  JsonWriter line;
  line.set("event", "connection").set("connection", connection);
  if (const auto* answer = std::get_if<ConnectionAnswer>(&news)) {
    line.set("sdp", answer->sdp);
  } else if (const auto* error = std::get_if<HttpError>(&news)) {
    set_error(line, *error);
  }
  return line.text();
}

std::string end_line(const std::string& session, const SessionEnd& end) {
  JsonWriter line;
  line.set("event", "end").set("session", session).set("status", end.done ? "done" : "failed");
  if (end.done) {
    line.set_null("code").set_null("message");
  } else {
    line.set("code", end.code).set("message", end.message);
  }
  line.set("frames", end.frames).set("bytes", end.bytes).set("chunks", end.chunks);
  set_film(line, end.film);
  return line.text();
}

std::string ask_line(std::uint64_t number, const PolicyQuestion& question) {
  JsonWriter line;
  line.set("event", "ask")
      .set("id", number)
      .set("point", to_string(question.point))
      .set("bytes_announced", question.bytes_announced)
      .set("bytes_received", question.bytes_received);
  set_film(line, question.film);
  return line.text();
}

std::string policy_line(std::uint64_t number, const PolicyAnswer& answer) {
  return JsonWriter()
      .set("reply_to", number)
      .set("allowed", answer.allowed)
      .set("over_quota", answer.over_quota)
      .set("message", answer.message)
      .text();
}

std::string stop_line(const std::string& why) { return JsonWriter().set("stop", why).text(); }

std::string connect_line(const std::string& connection, const std::string& offer_sdp) {
  return JsonWriter().set("connect", connection).set("offer_sdp", offer_sdp).text();
}

std::string disconnect_line(const std::string& connection) {
  return JsonWriter().set("disconnect", connection).text();
}

ParentLine parse_parent_line(std::string_view line) {
  auto parsed = parse_json_object(line);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return BadLine{};
  JsonObject* object = json_node_get_object(node->get());
  if (auto why = json_string(object, "stop")) return StopLine{std::move(*why)};
  if (auto connection = json_string(object, "disconnect")) {
    return DisconnectLine{std::move(*connection)};
  }
  if (auto connection = json_string(object, "connect")) {
    auto offer = json_string(object, "offer_sdp");
    if (!offer) return BadLine{};
    return ConnectLine{std::move(*connection), std::move(*offer)};
  }
  const auto number = json_integer(object, "reply_to");
  const auto allowed = json_boolean(object, "allowed");
  if (!number || *number < 0 || !allowed) return BadLine{};
  return PolicyLine{static_cast<std::uint64_t>(*number),
                    {*allowed, json_boolean(object, "over_quota").value_or(false),
                     json_string(object, "message").value_or("")}};
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
    return read_error(object);
  } else if (event == "connection") {
    if (auto connection = json_string(object, "connection")) {
      return ConnectionLine{std::move(*connection), read_connection_news(object)};
    }
  } else if (event == "ask") {
    const auto number = json_integer(object, "id");
    const std::string point = json_string(object, "point").value_or("");
    for (const auto each : {PolicyQuestion::Point::kUpload, PolicyQuestion::Point::kRunning}) {
      if (!number || *number < 0 || point != to_string(each)) continue;
      return AskLine{static_cast<std::uint64_t>(*number),
                     {each, read_count(object, "bytes_announced"),
                      read_count(object, "bytes_received"), read_film(object)}};
    }
  } else if (event == "end") {
    SessionEnd end;
    end.done = json_string(object, "status") == "done";
    end.code = json_string(object, "code").value_or("");
    end.message = json_string(object, "message").value_or("");
    end.frames = read_count(object, "frames");
    end.bytes = read_count(object, "bytes");
    end.chunks = read_count(object, "chunks");
    end.film = read_film(object);
    return end;
  }
  return BadLine{};
}

}  // namespace webrtcupload
