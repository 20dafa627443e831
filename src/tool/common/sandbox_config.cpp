// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/common/sandbox_config.h"

namespace webrtcupload {

const char* to_string(SandboxMode mode) {
  switch (mode) {
    case SandboxMode::kOff:
      return "off";
    case SandboxMode::kAuto:
      return "auto";
    case SandboxMode::kStrict:
      return "strict";
  }
  return "";
}

std::optional<SandboxMode> parse_sandbox_mode(std::string_view text) {
  for (const auto mode : {SandboxMode::kOff, SandboxMode::kAuto, SandboxMode::kStrict}) {
    if (text == to_string(mode)) return mode;
  }
  return std::nullopt;
}

}  // namespace webrtcupload
