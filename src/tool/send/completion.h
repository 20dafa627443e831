// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The last result of an upload as its sender reads it: done, or why not.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result_framing.h"

namespace webrtcupload {

struct Completion {
  std::uint32_t frame_id = 1;      // The last frame's plus 1.
  std::string termination_reason;  // Empty for null.
  std::vector<std::string> errors;
};

// The longest text that is read: a parsed value takes some fifty times of what it may take as text,
// and a last result has a reason and some sentences.
inline constexpr std::size_t kMaxCompletion = 256 * 1024;

// Nothing if it is the result of a frame, or none at all.
[[nodiscard]] std::optional<Completion> read_completion(const ResultAssembler::Assembled& result);

}  // namespace webrtcupload
