// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Directories for spool files: a fresh one, filesystems that are full or cannot be written, and
// disks that break.

#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace webrtcupload::test {

// A new empty directory, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // How many names it holds.
  [[nodiscard]] std::size_t entries() const;

 private:
  std::string path_;
};

// Runs `body` on a thread that sees a tmpfs with `options` (as for mount -o, and MS_ flags) on
// `directory`. Only that thread and those it starts do, and the mount goes with the last of them,
// so nothing has to be put back. Returns 0, or the errno of what this process may not do; `body`
// has not run then.
int run_with_tmpfs(const std::string& directory, const std::string& options, unsigned long flags,
                   const std::function<void()>& body);

// Runs `body` on a thread for which the kernel fails writes to a position in a file that has all of
// these bits; likewise for the threads that it starts. False, and nothing was run, where the kernel
// has no seccomp filters.
bool run_with_failing_writes(std::uint32_t position_bits, int error,
                             const std::function<void()>& body);

}  // namespace webrtcupload::test
