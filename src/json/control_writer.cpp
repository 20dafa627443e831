// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/control_writer.h"

#include <cstddef>
#include <string_view>

#include "json/json.h"
#include "json/printable.h"

namespace webrtcupload {
namespace {

std::string bounded(std::string_view text, std::size_t most) {
  std::string bounded = printable(text);
  if (bounded.size() <= most) return bounded;
  // Not within a character.
  while (most > 0 && (static_cast<unsigned char>(bounded[most]) & 0xc0) == 0x80) --most;
  bounded.resize(most);
  return bounded;
}

template <typename Value, typename Write>
void set_or_null(JsonWriter& json, const char* name, const std::optional<Value>& value,
                 Write write) {
  if (value) {
    json.set(name, write(*value));
  } else {
    json.set_null(name);
  }
}

void set_or_null(JsonWriter& json, const char* name, std::optional<std::uint64_t> number) {
  set_or_null(json, name, number, [](std::uint64_t value) { return value; });
}

void set_or_null(JsonWriter& json, const char* name, const std::optional<Sha256Sum>& sum) {
  set_or_null(json, name, sum, [](const Sha256Sum& value) { return to_hex(value); });
}

JsonNodePtr list_of(const std::vector<Range>& ranges) {
  JsonArray* const list = json_array_sized_new(static_cast<guint>(ranges.size()));
  for (const Range& range : ranges) {
    JsonArray* const pair = json_array_sized_new(2);
    json_array_add_int_element(pair, static_cast<gint64>(range.begin));
    json_array_add_int_element(pair, static_cast<gint64>(range.end));
    json_array_add_array_element(list, pair);
  }
  JsonNodePtr node(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(node.get(), list);
  return node;
}

void write(JsonWriter& json, const control::Hello& hello) {
  json.set("type", "hello");
  set_or_null(json, "size", hello.size);
  json.set("name", bounded(hello.name, control::kMaxName));
  json.set("content_type", bounded(hello.content_type, control::kMaxName));
  set_or_null(json, "sha256", hello.sha256);
  const auto text = [](const UploadId& id) { return id.text(); };
  set_or_null(json, "upload", hello.upload, text);
  set_or_null(json, "nonce", hello.nonce, text);
}

void write(JsonWriter& json, const control::Ready& ready) {
  json.set("type", "ready")
      .set("upload", ready.upload.text())
      .set("have", list_of(ready.have))
      .set("credit", ready.credit)
      .set("max_payload", ready.max_payload)
      .set("max_size", ready.max_size)
      .set("max_connections", ready.max_connections)
      .set("resume_timeout", ready.resume_timeout);
}

void write(JsonWriter& json, const control::Ack& ack) {
  json.set("type", "ack")
      .set("stored", ack.stored)
      .set("received", ack.received)
      .set("credit", ack.credit);
}

void write(JsonWriter& json, const control::End& end) {
  json.set("type", "end").set("size", end.size);
  set_or_null(json, "sha256", end.sha256);
}

void write(JsonWriter& json, const control::Done& done) {
  json.set("type", "done").set("size", done.size).set("sha256", to_hex(done.sha256));
}

void write(JsonWriter& json, const control::Failure& failure) {
  json.set("type", "error")
      .set("code", bounded(failure.code, control::kMaxName))
      .set("message", bounded(failure.message, control::kMaxSentence))
      .set("resumable", failure.resumable);
  set_or_null(json, "retry_after", failure.retry_after);
}

void write(JsonWriter& json, const control::Cancel& cancel) {
  json.set("type", "cancel");
  set_or_null(json, "reason", cancel.reason,
              [](const std::string& reason) { return bounded(reason, control::kMaxSentence); });
}

}  // namespace

std::string write_control(const ControlMessage& message) {
  JsonWriter json;
  std::visit([&json](const auto& each) { write(json, each); }, message);
  return json.text();
}

}  // namespace webrtcupload
