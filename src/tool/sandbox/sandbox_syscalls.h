// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which system calls a session's process may make, by seccomp. In steps: what no session ever needs
// is forbidden from the start; what only the making of connections needs, when the last of them can
// have been made; and files are looked at from the upload's begin on. See docs/security.md.

#pragma once

#include <string>

namespace webrtcupload {

// Whether this build and this kernel have it.
[[nodiscard]] bool seccomp_works();

// Each empty, or what is wrong. `network`: the pipeline has connections of its own.

// For the calling thread, and those it starts.
[[nodiscard]] std::string forbid_what_no_session_needs(bool network);
// For all threads of the process, whichever calls it.
enum class SandboxClosing { kFiles, kSockets, kAll };
[[nodiscard]] std::string forbid_what_an_upload_does_not_need(bool network, SandboxClosing what);

}  // namespace webrtcupload
