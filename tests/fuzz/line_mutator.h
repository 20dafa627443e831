// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes other session descriptions of one: bytes alone hardly ever leave one that is looked at
// beyond its third line.

#pragma once

#include <random>
#include <string>
#include <string_view>

namespace webrtcupload::fuzz {

// One to four changes to lines: left out, doubled, moved, taken from a list, or with another word
// or number in them.
[[nodiscard]] std::string mutate_lines(std::string_view input, std::mt19937& random);

}  // namespace webrtcupload::fuzz
