// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes over data channels and from a session's process: results as `send` reads them,
// acknowledgements, lines.

#include <glib.h>

#include <algorithm>
#include <string>
#include <variant>

#include "core/result_framing.h"
#include "core/result_window.h"
#include "json/control_reader.h"
#include "json/control_writer.h"
#include "json/json.h"
#include "json/json_text.h"
#include "signalling/session_status.h"
#include "target.h"
#include "tool/common/session_types.h"
#include "tool/send/completion.h"

namespace webrtcupload::fuzz {

// Texts that elements attach to frames, and every other object.
std::string check_json_input(ByteView input) {
  const std::string_view text = text_of(input);
  // Halves of surrogate pairs aside, which JSON allows, our grammar and json-glib's agree.
  if (!find_json_fault(text, 64) && g_utf8_validate_len(text.data(), text.size(), nullptr)) {
    const std::string object = R"({"value":)" + std::string(text) + "}";
    const auto parsed = parse_json_object(object, 65);
    if (const auto* error = std::get_if<JsonError>(&parsed)) {
      return "not read by json-glib: " + error->message;
    }
  }
  const auto parsed = parse_json_object(text);
  const auto* error = std::get_if<JsonError>(&parsed);
  return error ? check_sentence(error->message) : "";
}

// Messages, each behind two bytes for its length.
std::string check_result_input(ByteView input) {
  const ResultAssembler::Limits limits{.max_memory = 4096, .max_results = 4};
  ResultAssembler assembler(limits);
  while (input.size() >= 2) {
    const std::size_t wanted = input[0] * 256U + input[1];
    input = input.subspan(2);
    const ByteView message = input.first(std::min(wanted, input.size()));
    input = input.subspan(message.size());
    if (const auto result = assembler.add(message)) {
      // What waited, and the message that completed it.
      if (result->text.size() > limits.max_memory + kMaxResultPayload) {
        return "a larger result than there may be";
      }
      const auto completion = read_completion(*result);
      if (completion && completion->frame_id != result->frame_id)
        return "a completion of another result";
    }
    if (assembler.pending_results() > limits.max_results) return "more results wait than may";
    if (assembler.pending_memory() > limits.max_memory) return "more memory is taken than may";
  }
  return "";
}

// A byte for the window's size, then lines: what a client says, or, where one is empty, another
// result that is sent.
std::string check_ack_input(ByteView input) {
  if (input.empty()) return "";
  const std::size_t size = input[0] % 8;
  ResultWindow window(size);
  std::uint32_t sent = 0;
  std::string_view text = text_of(input.subspan(1));
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!line.empty()) {
      if (const auto ack = parse_ack(line)) static_cast<void>(window.ack(*ack));
    } else if (window.may_send()) {
      window.sent(sent += 1 + sent % 3);
    }
    if (window.acked().value_or(0) > window.last_sent())
      return "more is acknowledged than was sent";
    const bool all_acked = window.acked().value_or(0) == window.last_sent();
    if (all_acked && !window.may_send()) return "nothing may be sent though all is acknowledged";
  }
  return "";
}

// Control messages of wire format v2, which either side may get from a stranger.
std::string check_control_input(ByteView input) {
  const auto message = read_control(text_of(input));
  if (!message) {
    if (message.error().code != ErrorCode::kMalformedMessage) return "refused with another code";
    return check_sentence(message.error().message);
  }
  if (!message.value()) return "";
  const std::string text = write_control(*message.value());
  const auto again = read_control(text);
  if (!again || again.value() != message.value()) return "a message reads otherwise: " + text;
  if (const auto* hello = std::get_if<control::Hello>(&*message.value())) {
    if (hello->name.size() > control::kMaxName) return "a name is too long";
    if (!hello->name.empty()) return check_sentence(hello->name);
  }
  return "";
}

// What a session's process says, which a stranger's file may have taken over; what the server tells
// it; and what it says of an ended session, which `send` reads.
std::string check_line_input(ByteView input) {
  const std::string_view text = text_of(input);
  const ChildLine child = parse_child_line("a-session", text);
  if (const auto* error = std::get_if<HttpError>(&child)) {
    if (error->status < 400 || error->status > 599)
      return "an error with status " + std::to_string(error->status);
  }
  static_cast<void>(parse_parent_line(text));
  if (const auto config = parse_config_line(text)) {
    const std::string line = config_line(*config);
    const auto again = parse_config_line(line);
    if (!again || config_line(*again) != line) return "a configuration reads otherwise: " + line;
  }
  if (const auto status = parse_session_status(text)) {
    const std::string json = session_status_json(*status);
    const auto again = parse_session_status(json);
    if (!again || session_status_json(*again) != json) return "a status reads otherwise: " + json;
  }
  return "";
}

}  // namespace webrtcupload::fuzz
