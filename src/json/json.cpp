// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/json.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "json/json_text.h"
#include "json/printable.h"

namespace webrtcupload {
namespace {

bool nests_deeper(std::string_view text, std::size_t limit) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        break;
      case '{':
      case '[':
        if (++depth > limit) return true;
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        break;
      default:
        break;
    }
  }
  return false;
}

// Of a number of valid JSON, which has no zeros in front: whether it is an integer beyond 64 bits.
bool is_wide_integer(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  const std::string_view digits = number.substr(is_negative ? 1 : 0);
  if (digits.find_first_of(".Ee") != std::string_view::npos) return false;
  const std::string_view most = is_negative ? "9223372036854775808" : "9223372036854775807";
  return digits.size() != most.size() ? digits.size() > most.size() : digits > most;
}

// What json-glib can read of `text`, which is valid JSON. It takes an integer of more than 64 bits
// for another one (1.6: -18446744073709551611 for 5), without a word. Written as a fraction, that
// is the number it is, and no integer.
std::string without_wide_integers(std::string_view text) {
  constexpr std::string_view kOfNumbers = "+-.0123456789Ee";
  std::string result;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t length = 1;
    const bool is_number = !in_string && (c == '-' || (c >= '0' && c <= '9'));
    if (is_number) {
      length = std::min(text.find_first_not_of(kOfNumbers, i), text.size()) - i;
    } else if (in_string && c == '\\') {
      length = std::min<std::size_t>(2, text.size() - i);
    } else if (c == '"') {
      in_string = !in_string;
    }
    const std::string_view token = text.substr(i, length);
    result += token;
    if (is_number && is_wide_integer(token)) result += ".0";
    i += length;
  }
  return result;
}

}  // namespace

std::variant<JsonNodePtr, JsonError> parse_json_object(std::string_view text,
                                                       std::size_t max_depth) {
  if (text.empty()) return JsonError{"is empty"};
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    return JsonError{"is not valid UTF-8"};
  }
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '{') {
    return JsonError{"is not a JSON object"};
  }
  if (nests_deeper(text, max_depth)) {
    return JsonError{"nests deeper than " + std::to_string(max_depth) + " levels"};
  }
  // json-glib reads more than JSON, and 1.6 does not free a string in which it finds a fault, which
  // can be as long as whoever has sent it likes. So it only gets what is right.
  if (const auto fault = find_json_fault(text, max_depth)) {
    return JsonError{"is not valid JSON, near byte " + std::to_string(*fault)};
  }
  const std::string readable = without_wide_integers(text);
  JsonParser* parser = json_parser_new_immutable();
  GError* error = nullptr;
  if (!json_parser_load_from_data(parser, readable.data(), static_cast<gssize>(readable.size()),
                                  &error)) {
    JsonError result{"is not valid JSON: " + printable(error ? error->message : "?")};
    g_clear_error(&error);
    g_object_unref(parser);
    return result;
  }
  JsonNodePtr root(json_parser_steal_root(parser));
  g_object_unref(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root.get())) return JsonError{"is not a JSON object"};
  return root;
}

JsonWriter::JsonWriter() : root_(json_node_new(JSON_NODE_OBJECT)), object_(json_object_new()) {
  json_node_take_object(root_.get(), object_);
}

JsonWriter& JsonWriter::set(const char* name, std::string_view value) {
  // Whoever wrote it: what leaves here is valid UTF-8.
  char* valid = g_utf8_make_valid(value.data(), static_cast<gssize>(value.size()));
  json_object_set_string_member(object_, name, valid);
  g_free(valid);
  return *this;
}

JsonWriter& JsonWriter::set(const char* name, bool value) {
  json_object_set_boolean_member(object_, name, value);
  return *this;
}

JsonWriter& JsonWriter::set(const char* name, std::int64_t value) {
  json_object_set_int_member(object_, name, value);
  return *this;
}

JsonWriter& JsonWriter::set(const char* name, double value) {
  if (!std::isfinite(value)) return set_null(name);
  json_object_set_double_member(object_, name, value);
  return *this;
}

JsonWriter& JsonWriter::set_null(const char* name) {
  json_object_set_null_member(object_, name);
  return *this;
}

JsonWriter& JsonWriter::set(const char* name, JsonNodePtr value) {
  json_object_set_member(object_, name, value.release());
  return *this;
}

JsonWriter& JsonWriter::set(const char* name, JsonWriter&& value) {
  return set(name, std::move(value).take());
}

std::string JsonWriter::text() const {
  char* text = json_to_string(root_.get(), FALSE);
  std::string result(text);
  g_free(text);
  return result;
}

JsonNodePtr JsonWriter::take() && {
  object_ = nullptr;
  return std::move(root_);
}

JsonNode* json_member(JsonObject* object, const char* name) {
  return json_object_has_member(object, name) ? json_object_get_member(object, name) : nullptr;
}

std::optional<std::string> json_string(JsonObject* object, const char* name) {
  JsonNode* node = json_member(object, name);
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING) {
    return std::nullopt;
  }
  return std::string(json_node_get_string(node));
}

std::optional<std::vector<std::string>> json_names(JsonObject* object, const char* name) {
  constexpr guint kMaxNames = 64;
  constexpr std::size_t kMaxNameBytes = 256;
  JsonNode* node = json_member(object, name);
  if (!node || !JSON_NODE_HOLDS_ARRAY(node)) return std::nullopt;
  JsonArray* array = json_node_get_array(node);
  if (json_array_get_length(array) > kMaxNames) return std::nullopt;
  std::vector<std::string> names;
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    JsonNode* item = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_STRING) {
      return std::nullopt;
    }
    names.emplace_back(json_node_get_string(item));
    if (names.back().size() > kMaxNameBytes) return std::nullopt;
  }
  return names;
}

std::optional<std::int64_t> json_integer(JsonObject* object, const char* name) {
  JsonNode* node = json_member(object, name);
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) {
    return std::nullopt;
  }
  return json_node_get_int(node);
}

std::optional<double> json_number(JsonObject* object, const char* name) {
  JsonNode* node = json_member(object, name);
  if (!node || !JSON_NODE_HOLDS_VALUE(node)) return std::nullopt;
  const GType type = json_node_get_value_type(node);
  if (type == G_TYPE_INT64) return static_cast<double>(json_node_get_int(node));
  if (type == G_TYPE_DOUBLE) return json_node_get_double(node);
  return std::nullopt;
}

std::optional<bool> json_boolean(JsonObject* object, const char* name) {
  JsonNode* node = json_member(object, name);
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN) {
    return std::nullopt;
  }
  return json_node_get_boolean(node);
}

}  // namespace webrtcupload
