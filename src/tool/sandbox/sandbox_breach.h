// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a session's process did that its sandbox forbids, and how its parent learns of it: the
// process ends at once, with a status that says what kind of thing it was. The log has the rest.

#pragma once

#include <optional>
#include <string>

namespace webrtcupload {

inline constexpr const char* kSandboxViolation = "sandbox-violation";

enum class Breach {
  kOther,    // A system call of another architecture, or one that came with SIGSYS blocked.
  kProgram,  // To start a program or a process.
  kProcess,  // To reach into another process.
  kPlace,    // Namespaces, mounts, roots.
  kKernel,   // What programs ask of a kernel to administer it, or to get around its checks.
  kSocket,
  kFile,
};

// What follows "the process of the session was ended because it ".
[[nodiscard]] const char* to_string(Breach breach);

// The exit status for it, and back.
[[nodiscard]] int breach_status(Breach breach);
[[nodiscard]] std::optional<Breach> breach_of_status(int status);

}  // namespace webrtcupload
