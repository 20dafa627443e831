// SPDX-License-Identifier: LGPL-2.1-or-later

#include "memory_watch.h"

#include <chrono>
#include <fstream>
#include <string>

#include "process.h"

namespace webrtcupload::test {

std::size_t memory_of(pid_t pid) {
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  std::size_t kilobytes = 0;
  while (rollup >> word) {
    if (word == "Pss:" && rollup >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

std::size_t memory_of_all(pid_t pid) {
  std::size_t all = memory_of(pid);
  for (const pid_t child : children_of(pid)) all += memory_of(child);
  return all;
}

MemoryWatch::MemoryWatch(pid_t server)
    : thread_([this, server] {
        while (!done_) {
          const std::size_t sessions = children_of(server).size();
          if (const std::size_t all = memory_of_all(server); all > peak_) {
            peak_ = all;
            sessions_ = sessions;
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
      }) {}

MemoryWatch::~MemoryWatch() {
  done_ = true;
  thread_.join();
}

}  // namespace webrtcupload::test
