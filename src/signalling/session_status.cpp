// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/session_status.h"

#include <glib.h>

#include <algorithm>
#include <sys/random.h>
#include <utility>
#include <variant>

#include "json/json.h"

namespace webrtcupload {
namespace {

// At most so many bytes, and no half of a character.
void cut(std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return;
  const char* end = nullptr;
  g_utf8_validate(text.data(), static_cast<gssize>(bytes), &end);
  text.resize(static_cast<std::size_t>(end - text.data()));
}

std::optional<std::uint64_t> read_count(JsonObject* object, const char* name) {
  const auto value = json_integer(object, name);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

}  // namespace

std::string session_status_json(const SessionStatus& status) {
  JsonWriter json;
  const auto set = [&json](const char* name, bool known, const auto& value) {
    if (known) {
      json.set(name, value);
    } else {
      json.set_null(name);
    }
  };
  const bool failed = status.ended && !status.done;
  json.set("state", status.ended ? "ended" : "running");
  set("status", status.ended, status.done ? "done" : "failed");
  set("code", failed, status.code);
  set("message", failed, status.message);
  set("frames", status.frames.has_value(), status.frames.value_or(0));
  set("bytes", status.bytes.has_value(), status.bytes.value_or(0));
  set("chunks", status.chunks.has_value(), status.chunks.value_or(0));
  set("sha256", !status.sha256.empty(), status.sha256);
  return json.text();
}

std::optional<SessionStatus> parse_session_status(std::string_view json) {
  auto parsed = parse_json_object(json);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return std::nullopt;
  JsonObject* object = json_node_get_object(node->get());
  const std::string state = json_string(object, "state").value_or("");
  const std::string how = json_string(object, "status").value_or("");
  SessionStatus status;
  status.ended = state == "ended";
  status.done = status.ended && how == "done";
  if (!status.ended && state != "running") return std::nullopt;
  if (status.ended && !status.done && how != "failed") return std::nullopt;
  status.code = json_string(object, "code").value_or("");
  status.message = json_string(object, "message").value_or("");
  status.frames = read_count(object, "frames");
  status.bytes = read_count(object, "bytes");
  status.chunks = read_count(object, "chunks");
  status.sha256 = json_string(object, "sha256").value_or("");
  return status;
}

void EndedSessions::add(std::string id, std::string owner, SessionStatus status, Moment now) {
  while (!sessions_.empty() && now - sessions_.front().at >= limits_.time) sessions_.pop_front();
  if (limits_.count == 0) return;
  if (sessions_.size() >= limits_.count) sessions_.pop_front();
  cut(status.code, limits_.message_bytes);
  cut(status.message, limits_.message_bytes);
  cut(status.sha256, limits_.message_bytes);
  sessions_.push_back({std::move(id), std::move(owner), std::move(status), now});
}

const SessionStatus* EndedSessions::find(std::string_view id, std::string_view owner,
                                         Moment now) const {
  const auto found = std::ranges::find(sessions_, id, &Session::id);
  if (found == sessions_.end() || found->owner != owner) return nullptr;
  return now - found->at < limits_.time ? &found->status : nullptr;
}

std::optional<std::string> make_session_id() {
  std::uint8_t bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return std::nullopt;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const std::uint8_t byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace webrtcupload
