// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the process of a session is to be shut in, as `webrtc-upload serve` tells it.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webrtcupload {

enum class SandboxMode { kOff, kAuto, kStrict };

// As the option --sandbox has it.
[[nodiscard]] const char* to_string(SandboxMode mode);
[[nodiscard]] std::optional<SandboxMode> parse_sandbox_mode(std::string_view text);

// Files and directories, with all that is below them.
struct SandboxPaths {
  std::vector<std::string> read;
  std::vector<std::string> write;

  bool operator==(const SandboxPaths&) const = default;
};

struct SandboxConfig {
  SandboxMode mode = SandboxMode::kOff;
  // Beside what every session needs: the operator's, and those that the pipeline names.
  SandboxPaths paths;
  // The pipeline has connections of its own, to wherever the operator wants.
  bool network = false;
  // The pipeline has elements that use the graphics hardware.
  bool hardware = false;
  // Whose rights the process has, if the server is root. Empty = the server's.
  std::string user;
};

}  // namespace webrtcupload
