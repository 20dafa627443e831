// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/control_reader.h"

#include <glib.h>

#include <string>
#include <utility>

#include "core/wire_v2.h"
#include "json/json.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kMaxDepth = 16;

// json-glib cuts a text there.
bool has_escaped_nul(std::string_view text) {
  for (std::size_t at = text.find('\\'); at != std::string_view::npos;
       at = text.find('\\', at + 2)) {
    if (text.substr(at).starts_with("\\u0000")) return true;
  }
  return false;
}

bool has_control_character(const std::string& text) {
  for (const char* at = text.c_str(); *at != '\0'; at = g_utf8_next_char(at)) {
    if (g_unichar_iscntrl(g_utf8_get_char(at))) return true;
  }
  return false;
}

// The fields of one message. The first that is wrong is remembered; of those after it nothing is
// used.
class Fields {
 public:
  explicit Fields(JsonObject* object) : object_(object) {}

  [[nodiscard]] const std::optional<std::string>& fault() const { return fault_; }

  std::optional<std::uint64_t> number_or_null(const char* name) {
    if (is_null(name)) return std::nullopt;
    const auto number = json_integer(object_, name);
    if (number && is_number(*number)) return static_cast<std::uint64_t>(*number);
    wrong(name, "is no whole number from 0 to 2^53 - 1");
    return std::nullopt;
  }
  std::uint64_t number(const char* name) { return required(name, number_or_null(name)); }

  std::optional<std::string> text_or_null(const char* name, std::size_t most) {
    if (is_null(name)) return std::nullopt;
    auto text = json_string(object_, name);
    if (!text) {
      wrong(name, "is no text");
    } else if (text->size() > most) {
      wrong(name, "has " + std::to_string(text->size()) + " bytes, at most " +
                      std::to_string(most) + " are accepted");
    } else if (has_control_character(*text)) {
      wrong(name, "has a control character");
    } else {
      return text;
    }
    return std::nullopt;
  }
  std::string text(const char* name, std::size_t most) {
    return required(name, text_or_null(name, most));
  }

  // A text that `parse` makes a value of, or null.
  template <typename Value>
  std::optional<Value> digits_or_null(const char* name,
                                      std::optional<Value> (*parse)(std::string_view),
                                      std::size_t count) {
    const auto text = text_or_null(name, control::kMaxSentence);
    if (!text) return std::nullopt;
    const auto value = parse(*text);
    if (!value) wrong(name, "is not " + std::to_string(count) + " hexadecimal digits");
    return value;
  }
  std::optional<Sha256Sum> sum_or_null(const char* name) {
    return digits_or_null(name, parse_sha256, 64);
  }
  Sha256Sum sum(const char* name) { return required(name, sum_or_null(name)); }
  std::optional<UploadId> id_or_null(const char* name) {
    return digits_or_null(name, UploadId::parse, 32);
  }
  UploadId id(const char* name) {
    return required(name, id_or_null(name), UploadId(UploadId::Bytes{}));
  }

  bool boolean(const char* name) { return required(name, json_boolean(object_, name)); }

  // Pairs of begin and end, each behind the one before it.
  std::vector<Range> ranges(const char* name) {
    JsonNode* const node = json_member(object_, name);
    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
      return wrong(name, "is no list"), std::vector<Range>();
    JsonArray* const array = json_node_get_array(node);
    const std::size_t count = json_array_get_length(array);
    if (count > control::kMaxHave) {
      wrong(name, "has more than " + std::to_string(control::kMaxHave) + " ranges");
      return {};
    }
    std::vector<Range> ranges;
    for (guint i = 0; i < count; ++i) {
      const auto range = read_range(json_array_get_element(array, i));
      if (!range || (!ranges.empty() && range->begin <= ranges.back().end)) {
        wrong(name, "has an entry that is no range behind the one before it");
        return {};
      }
      ranges.push_back(*range);
    }
    return ranges;
  }

 private:
  static bool is_number(std::int64_t number) {
    return number >= 0 && static_cast<std::uint64_t>(number) < control::kNumberLimit;
  }

  static std::optional<Range> read_range(JsonNode* node) {
    if (!JSON_NODE_HOLDS_ARRAY(node)) return std::nullopt;
    JsonArray* const pair = json_node_get_array(node);
    if (json_array_get_length(pair) != 2) return std::nullopt;
    Range range;
    for (const guint side : {0U, 1U}) {
      JsonNode* const value = json_array_get_element(pair, side);
      if (!JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_INT64 ||
          !is_number(json_node_get_int(value))) {
        return std::nullopt;
      }
      (side == 0 ? range.begin : range.end) = static_cast<std::uint64_t>(json_node_get_int(value));
    }
    return range.empty() ? std::nullopt : std::optional(range);
  }

  bool is_null(const char* name) const {
    JsonNode* const node = json_member(object_, name);
    return !node || JSON_NODE_HOLDS_NULL(node);
  }

  template <typename Value>
  Value required(const char* name, std::optional<Value> value, Value otherwise = {}) {
    if (value) return *std::move(value);
    wrong(name, "is missing");
    return otherwise;
  }

  void wrong(const char* name, const std::string& what) {
    if (!fault_) fault_ = "\"" + std::string(name) + "\" " + what;
  }

  JsonObject* const object_;
  std::optional<std::string> fault_;
};

std::optional<ControlMessage> read_fields(std::string_view type, Fields& fields) {
  // Braces keep the order, so that the first field that is wrong is the one that is named.
  if (type == "hello") {
    return control::Hello{
        .size = fields.number_or_null("size"),
        .name = fields.text_or_null("name", control::kMaxName).value_or(""),
        .content_type = fields.text_or_null("content_type", control::kMaxName).value_or(""),
        .sha256 = fields.sum_or_null("sha256"),
        .upload = fields.id_or_null("upload"),
        .nonce = fields.id_or_null("nonce")};
  }
  if (type == "ready") {
    return control::Ready{.upload = fields.id("upload"),
                          .have = fields.ranges("have"),
                          .credit = fields.number("credit"),
                          .max_payload = fields.number("max_payload"),
                          .max_size = fields.number("max_size"),
                          .max_connections = fields.number("max_connections"),
                          .resume_timeout = fields.number("resume_timeout")};
  }
  if (type == "ack") {
    return control::Ack{.stored = fields.number("stored"),
                        .received = fields.number("received"),
                        .credit = fields.number("credit")};
  }
  if (type == "end") {
    return control::End{.size = fields.number("size"), .sha256 = fields.sum_or_null("sha256")};
  }
  if (type == "done") {
    return control::Done{.size = fields.number("size"), .sha256 = fields.sum("sha256")};
  }
  if (type == "error") {
    return control::Failure{.code = fields.text("code", control::kMaxName),
                            .message = fields.text("message", control::kMaxSentence),
                            .resumable = fields.boolean("resumable"),
                            .retry_after = fields.number_or_null("retry_after")};
  }
  if (type == "cancel") {
    return control::Cancel{.reason = fields.text_or_null("reason", control::kMaxSentence)};
  }
  return std::nullopt;
}

Error malformed(const std::string& what) {
  return {ErrorCode::kMalformedMessage, "the control message " + what};
}

}  // namespace

Result<std::optional<ControlMessage>> read_control(std::string_view text) {
  if (text.size() > kMaxControlSize) {
    return malformed("has " + std::to_string(text.size()) + " bytes, at most " +
                     std::to_string(kMaxControlSize) + " are accepted");
  }
  const auto parsed = parse_json_object(text, kMaxDepth);
  if (const auto* error = std::get_if<JsonError>(&parsed)) return malformed(error->message);
  if (has_escaped_nul(text)) return malformed("has the character U+0000");
  JsonObject* const object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  const auto type = json_string(object, "type");
  if (!type) return malformed("has no \"type\"");
  Fields fields(object);
  auto message = read_fields(*type, fields);
  if (message && fields.fault()) {
    return malformed("of type \"" + *type + "\" is not accepted: " + *fields.fault());
  }
  return message;
}

}  // namespace webrtcupload
