// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The wall around the process of a session: what the system can do for it, and how it is put up.
// docs/security.md says what is forbidden when, and why.

#pragma once

#include <optional>
#include <string>

#include "tool/common/sandbox_config.h"
#include "tool/common/session_types.h"
#include "tool/sandbox/sandbox_syscalls.h"

namespace webrtcupload {

// What a wall can be made of here.
struct SandboxParts {
  int landlock = 0;  // The kernel's version of it, 0 = none.
  bool seccomp = false;
  bool root = false;  // The server's user.
};
[[nodiscard]] SandboxParts sandbox_parts();

// A sentence for the log: what holds.
[[nodiscard]] std::string describe_sandbox(const SandboxParts& parts, const SandboxConfig& config,
                                           bool isolated);
// What `strict` cannot do without and is missing, as a sentence. Empty: nothing.
[[nodiscard]] std::string missing_for_strict(const SandboxParts& parts, const SandboxConfig& config,
                                             bool isolated);

// In the process of a session, with the configuration that it was given.

// As soon as that is known, on the only thread there is. Empty, or what is wrong; what could be
// done is done, and whether the rest matters is the caller's to decide.
[[nodiscard]] std::string enter_sandbox(const SessionConfig& config);
// On any thread, for all of them. The same. When the upload begins: files and sockets; or, if
// further connections may join it, files, and sockets when all its bytes are here and no demuxer
// has any of them. The film's headers have been checked by then.
[[nodiscard]] std::string close_sandbox(const SandboxConfig& config, SandboxClosing what);

}  // namespace webrtcupload
