// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fuzzer and its replay test run: for everything that reads a stranger's bytes, a function
// that plays one input against it.

#pragma once

#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"

namespace webrtcupload::fuzz {

struct Target {
  // As `./dev fuzz NAME SECONDS` has it, and as its folder in tests/fuzz/corpus is called.
  const char* name;
  // Empty when all that must hold does; otherwise what did not.
  std::string (*check)(ByteView input);
  // For formats that random bytes never get into: another input made of this one. May be null.
  std::string (*mutate)(std::string_view input, std::mt19937& random);
};

[[nodiscard]] std::span<const Target> targets();
[[nodiscard]] const Target* find_target(std::string_view name);

// The targets, by what they are about.
[[nodiscard]] std::string check_offer_input(ByteView input);
[[nodiscard]] std::string check_answer_input(ByteView input);
[[nodiscard]] std::string check_http_input(ByteView input);
[[nodiscard]] std::string check_worker_request_input(ByteView input);
[[nodiscard]] std::string check_whip_input(ByteView input);
[[nodiscard]] std::string check_origin_input(ByteView input);
[[nodiscard]] std::string check_ice_server_input(ByteView input);
[[nodiscard]] std::string check_json_input(ByteView input);
[[nodiscard]] std::string check_result_input(ByteView input);
[[nodiscard]] std::string check_ack_input(ByteView input);
[[nodiscard]] std::string check_hook_reply_input(ByteView input);
[[nodiscard]] std::string check_control_input(ByteView input);
[[nodiscard]] std::string check_line_input(ByteView input);

// --- what they share
// --------------------------------------------------------------------------------------------

[[nodiscard]] inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
// Up to the first newline, which is taken along; then the rest.
[[nodiscard]] std::string_view take_line(std::string_view& text);
// A sentence that goes to a client is UTF-8 without control characters, is there, and is not long.
[[nodiscard]] std::string check_sentence(std::string_view sentence);

}  // namespace webrtcupload::fuzz
