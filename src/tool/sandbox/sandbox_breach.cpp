// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_breach.h"

namespace webrtcupload {
namespace {

// Of no meaning to anybody else: below what shells use for signals, above what programs use.
constexpr int kFirstStatus = 100;

}  // namespace

const char* to_string(Breach breach) {
  switch (breach) {
    case Breach::kProgram:
      return "tried to start a program";
    case Breach::kProcess:
      return "tried to reach another process";
    case Breach::kPlace:
      return "tried to change its namespaces or mounts";
    case Breach::kKernel:
      return "asked the kernel for what no video needs";
    case Breach::kSocket:
      return "tried to open a network connection";
    case Breach::kFile:
      return "tried to open a file that it may not";
    case Breach::kOther:
      break;
  }
  return "made a system call that it may not";
}

int breach_status(Breach breach) { return kFirstStatus + static_cast<int>(breach); }

std::optional<Breach> breach_of_status(int status) {
  const int number = status - kFirstStatus;
  if (number < static_cast<int>(Breach::kOther) || number > static_cast<int>(Breach::kFile)) {
    return std::nullopt;
  }
  return static_cast<Breach>(number);
}

}  // namespace webrtcupload
