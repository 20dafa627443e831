// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The little of JSON that signalling needs, on json-glib: objects written to one line, and objects
// from strangers read safely.

#pragma once

#include <json-glib/json-glib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace webrtcupload {

struct JsonNodeUnref {
  void operator()(JsonNode* node) const { json_node_unref(node); }
};
using JsonNodePtr = std::unique_ptr<JsonNode, JsonNodeUnref>;

struct JsonError {
  std::string message;
};

// Parses one JSON object. Text that is not UTF-8 or nests deeper than `max_depth` is refused
// before the parser, which recurses per level, sees it.
[[nodiscard]] std::variant<JsonNodePtr, JsonError> parse_json_object(std::string_view text,
                                                                     std::size_t max_depth = 64);

// Builds one object.
class JsonWriter {
 public:
  JsonWriter();

  JsonWriter& set(const char* name, std::string_view value);
  JsonWriter& set(const char* name, const char* value) {
    return set(name, std::string_view(value));
  }
  JsonWriter& set(const char* name, bool value);
  JsonWriter& set(const char* name, std::int64_t value);
  JsonWriter& set(const char* name, std::uint64_t value) {
    return set(name, static_cast<std::int64_t>(value));
  }
  JsonWriter& set(const char* name, int value) {
    return set(name, static_cast<std::int64_t>(value));
  }
  // NaN and infinities, which JSON has no word for, become null.
  JsonWriter& set(const char* name, double value);
  JsonWriter& set_null(const char* name);
  JsonWriter& set(const char* name, JsonNodePtr value);
  // The object built so far, which becomes the value.
  JsonWriter& set(const char* name, JsonWriter&& value);

  // On one line, without a newline.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] JsonNodePtr take() &&;

 private:
  JsonNodePtr root_;
  JsonObject* object_;  // Owned by `root_`.
};

// The member of `object`, or null if there is none.
[[nodiscard]] JsonNode* json_member(JsonObject* object, const char* name);
// A list of at most 64 strings of at most 256 bytes each, such as names that a peer chooses.
[[nodiscard]] std::optional<std::vector<std::string>> json_names(JsonObject* object,
                                                                 const char* name);
// The member if it has that type.
[[nodiscard]] std::optional<std::string> json_string(JsonObject* object, const char* name);
[[nodiscard]] std::optional<std::int64_t> json_integer(JsonObject* object, const char* name);
[[nodiscard]] std::optional<double> json_number(JsonObject* object, const char* name);
[[nodiscard]] std::optional<bool> json_boolean(JsonObject* object, const char* name);

}  // namespace webrtcupload
