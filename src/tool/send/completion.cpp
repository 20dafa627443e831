// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/completion.h"

#include "json/json.h"

namespace webrtcupload {

std::optional<Completion> read_completion(const ResultAssembler::Assembled& result) {
  if (result.text.size() > kMaxCompletion) return std::nullopt;
  auto parsed = parse_json_object(result.text);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return std::nullopt;
  JsonObject* object = json_node_get_object(node->get());
  if (json_boolean(object, "processing_complete") != true) return std::nullopt;
  Completion completion;
  completion.frame_id = result.frame_id;
  completion.termination_reason = json_string(object, "termination_reason").value_or("");
  JsonNode* errors = json_member(object, "errors");
  if (errors && JSON_NODE_HOLDS_ARRAY(errors)) {
    JsonArray* array = json_node_get_array(errors);
    for (guint i = 0; i < json_array_get_length(array); ++i) {
      JsonNode* item = json_array_get_element(array, i);
      if (JSON_NODE_HOLDS_VALUE(item) && json_node_get_value_type(item) == G_TYPE_STRING) {
        completion.errors.emplace_back(json_node_get_string(item));
      }
    }
  }
  return completion;
}

}  // namespace webrtcupload
