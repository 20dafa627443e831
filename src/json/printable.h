// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Words of strangers within sentences of ours, for logs, terminals and other clients.

#pragma once

#include <string>
#include <string_view>

namespace webrtcupload {

// `text` with a "?" for each control character, which a terminal would obey, and with U+FFFD for
// what is not UTF-8.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace webrtcupload
