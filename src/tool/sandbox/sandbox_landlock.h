// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Landlock: what a thread, and those it starts, may open and connect to. The kernel's versions of
// it are told apart at run time.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tool/common/sandbox_config.h"

namespace webrtcupload {

// From which version on there are rules for these.
inline constexpr int kLandlockForFiles = 1;
inline constexpr int kLandlockForTcp = 4;
inline constexpr int kLandlockForSignals = 6;

// The kernel's version of it; 0 = none, or switched off.
[[nodiscard]] int landlock_version();

// TCP ports that may be used. Port 0 stands for any that the kernel picks.
struct LandlockPorts {
  std::vector<std::uint16_t> bind;
  std::vector<std::uint16_t> connect;
};

class Landlock {
 public:
  // Opens all of the paths, so the right to do that is needed now and not in enter(). Those that
  // are not there are left out. Without `ports` TCP is not restricted.
  [[nodiscard]] static std::optional<Landlock> prepare(const SandboxPaths& paths,
                                                       const std::optional<LandlockPorts>& ports,
                                                       std::string& problem);
  ~Landlock();
  Landlock(Landlock&& other) noexcept;
  Landlock& operator=(Landlock&& other) noexcept;

  // For the calling thread. Needs no_new_privs. Empty, or what is wrong.
  [[nodiscard]] std::string enter() const;

 private:
  explicit Landlock(int ruleset) : ruleset_(ruleset) {}

  int ruleset_;
};

}  // namespace webrtcupload
