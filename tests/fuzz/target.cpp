// SPDX-License-Identifier: LGPL-2.1-or-later

#include "target.h"

#include <glib.h>

#include <algorithm>
#include <array>

#include "line_mutator.h"
#include "receiver_input.h"
#include "v2_receiver_input.h"

namespace webrtcupload::fuzz {

std::span<const Target> targets() {
  static constexpr std::array kTargets = {
      Target{"receiver", check_receiver_input, nullptr},
      Target{"v2_receiver", check_v2_receiver_input, nullptr},
      Target{"offer", check_offer_input, mutate_lines},
      Target{"answer", check_answer_input, mutate_lines},
      Target{"http", check_http_input, nullptr},
      Target{"worker_request", check_worker_request_input, nullptr},
      Target{"whip", check_whip_input, nullptr},
      Target{"origin", check_origin_input, nullptr},
      Target{"ice_server", check_ice_server_input, nullptr},
      Target{"json", check_json_input, nullptr},
      Target{"result", check_result_input, nullptr},
      Target{"ack", check_ack_input, nullptr},
      Target{"control", check_control_input, nullptr},
      Target{"hook_reply", check_hook_reply_input, nullptr},
      Target{"line", check_line_input, nullptr},
  };
  return kTargets;
}

const Target* find_target(std::string_view name) {
  const auto all = targets();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Target& target) { return target.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string check_sentence(std::string_view sentence) {
  constexpr std::size_t kLongest = 4096;
  if (sentence.empty()) return "there is no sentence";
  if (sentence.size() > kLongest)
    return "the sentence has " + std::to_string(sentence.size()) + " bytes";
  if (!g_utf8_validate_len(sentence.data(), sentence.size(), nullptr))
    return "the sentence is not UTF-8";
  const bool controls = std::any_of(sentence.begin(), sentence.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  return controls ? "the sentence has control characters" : "";
}

}  // namespace webrtcupload::fuzz
