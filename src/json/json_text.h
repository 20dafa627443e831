// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether a text is JSON (RFC 8259), for whoever passes it on as it is. json-glib reads more than
// JSON, and what it writes anew is not always the same, nor always JSON: 1e308 becomes 1e+308.0.

#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace webrtcupload {

// Whether `text` is one JSON value, with whitespace around it or not, that nests no deeper than
// `max_depth`. It has to be UTF-8, which is not looked at here.
[[nodiscard]] bool is_json_value(std::string_view text, std::size_t max_depth = 64);

// The same, and surrogates in escapes have to come in pairs. Near which byte, counted from 0,
// the text is none; nothing if it is one.
[[nodiscard]] std::optional<std::size_t> find_json_fault(std::string_view text,
                                                         std::size_t max_depth);

}  // namespace webrtcupload
