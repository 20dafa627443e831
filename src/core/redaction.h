// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What of a text may be told to a client, where the text comes from a library, the system or a
// file.

#pragma once

#include <string>
#include <string_view>

namespace webrtcupload {

// One sentence for a client: `text` without what says something of this machine. Paths, names of
// files and addresses become an ellipsis; from the name of a source file with a line on, all is
// cut, since what follows is for debugging. Line breaks and control characters become spaces, and
// what is longer than 1 KiB is cut.
[[nodiscard]] std::string text_for_client(std::string_view text);

}  // namespace webrtcupload
