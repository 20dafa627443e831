// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON lines to a pipe or terminal whose reader may be slow, or gone. A thread of its own writes,
// so that no main loop ever waits for a reader; whoever makes lines faster than they are read can
// wait, or ask whether to hold back.

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "core/mutex.h"

namespace webrtcupload {

class EventOutput {
 public:
  // Above `high` bytes waiting it is congested, until they are below `low`.
  struct Marks {
    std::size_t high = 1 << 20;
    std::size_t low = 1 << 18;
  };

  // `fd` must outlive this. SIGPIPE must be ignored: when the reader is gone, lines go nowhere.
  EventOutput(int fd, Marks marks);
  // Writes what waits, unless the reader is gone, takes nothing for half a second, or is waited for
  // more than five in all.
  ~EventOutput();
  EventOutput(const EventOutput&) = delete;
  EventOutput& operator=(const EventOutput&) = delete;

  // Any thread. Never waits.
  void write(const std::string& line);
  // Any thread. Waits while congested.
  void write_patiently(const std::string& line);
  // From now on nobody waits in write_patiently(): what writes is being stopped.
  void end_patience();
  // Waits until everything is written or the reader is gone, for whoever has a reader that may be
  // slow but loses nothing.
  void flush();
  [[nodiscard]] bool congested() const;
  // Called on the writing thread when congestion ends. Set before the first line.
  void set_on_relief(std::function<void()> on_relief) { on_relief_ = std::move(on_relief); }

 private:
  enum class Fate { kWritten, kBroken, kGivenUp };

  void run() EXCLUDES(mutex_);
  [[nodiscard]] Fate write_out(const std::string& line) EXCLUDES(mutex_);
  [[nodiscard]] bool is_stopping() const;
  void append(const std::string& line) REQUIRES(mutex_);

  const int fd_;
  const Marks marks_;
  std::function<void()> on_relief_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::string> lines_ GUARDED_BY(mutex_);  // Each with its newline.
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;        // Bytes, with what is being written.
  bool congested_ GUARDED_BY(mutex_) = false;
  bool broken_ GUARDED_BY(mutex_) = false;
  bool impatient_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  // Of the thread only, from the stop on: looks in a row that met a full pipe, time in all of them.
  int idle_looks_ = 0;
  std::chrono::nanoseconds waited_{0};
  std::thread thread_;
};

}  // namespace webrtcupload
