// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much memory the process of one session gets, and how it ends when that is not enough.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace webrtcupload {

struct Machine {
  // Bytes of memory; 0: not known.
  std::uint64_t memory = 0;
  unsigned processors = 1;
};

// What `--session-memory` is if it is not given: three quarters of the memory, shared by the
// sessions there may be. But it is a limit on what a process has asked for, not on what it uses:
// thread stacks count whole, 8 MiB each, and decoders and analysers have threads for each
// processor. Below 1 GiB and four stacks for each processor usual films would fail on machines
// where they fit; and each of the connections that a client may make beside its first one needs
// twelve stacks more.
[[nodiscard]] std::uint64_t default_session_memory(const Machine& machine, std::size_t max_sessions,
                                                   std::size_t further_connections);

// Of this machine, or of the control group (container, service) that this process is in, whichever
// has less; 0 if neither can be read.
[[nodiscard]] std::uint64_t machine_memory();
// The same, with the files below `root` for those below "/".
[[nodiscard]] std::uint64_t machine_memory(const std::string& root);

// The exit status of a session's process that could not get the memory it needs.
inline constexpr int kExitNoMemory = 77;
// From now on this process ends with that status where it would otherwise abort: when operator new
// or one of GLib's functions for memory fails.
void exit_when_out_of_memory();

}  // namespace webrtcupload
