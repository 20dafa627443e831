// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a server and its sessions' processes have of the machine's memory.

#pragma once

#include <atomic>
#include <cstddef>
#include <sys/types.h>
#include <thread>

namespace webrtcupload::test {

// In bytes: what it has alone, and its share of what other processes have too (PSS).
[[nodiscard]] std::size_t memory_of(pid_t pid);
// With its children.
[[nodiscard]] std::size_t memory_of_all(pid_t pid);

// Looks every 50 ms as long as it lives.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t server);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  // The largest that they had together so far, and how many children there were then.
  [[nodiscard]] std::size_t peak() const { return peak_; }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }

 private:
  std::atomic<bool> done_ = false;
  std::atomic<std::size_t> peak_ = 0;
  std::atomic<std::size_t> sessions_ = 0;
  std::thread thread_;
};

}  // namespace webrtcupload::test
