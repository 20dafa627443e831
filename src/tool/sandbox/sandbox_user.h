// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whose rights a session's process has.

#pragma once

#include <string>

namespace webrtcupload {

// Each empty, or what is wrong.

[[nodiscard]] std::string check_user(const std::string& name);

// Becomes that user, for good: all of the process' ids, no groups but the user's own one, no
// capabilities.
[[nodiscard]] std::string become_user(const std::string& name);

// Of root's, or of a service's: what is left is to open the files that the server's user may open,
// and to have large socket buffers.
[[nodiscard]] std::string drop_capabilities();

}  // namespace webrtcupload
