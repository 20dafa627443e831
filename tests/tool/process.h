// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Programs run by tests: started, their lines waited for with a deadline, signalled, and never left
// behind.

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

#include "support/wait.h"

namespace webrtcupload::test {

class Process {
 public:
  // `arguments[0]` is the program's path.
  explicit Process(const std::vector<std::string>& arguments);
  // Kills it if it still runs. A sanitizer's report, its own or of what it has started, fails the
  // test.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number);
  // Leaves its standard output unread, or reads on. One more read may be under way.
  void pause_reading(bool pause);

  // The first line on standard output that `predicate` accepts; nothing, at once, if the output
  // ends without it.
  std::optional<std::string> wait_for_line(const std::function<bool(const std::string&)>& predicate,
                                           std::chrono::milliseconds deadline = kDeadline);
  // The exit status, or minus the signal that ended it; nothing if it still runs by the deadline.
  // All it said has been read then, unless reading is paused.
  std::optional<int> wait_for_exit(std::chrono::milliseconds deadline = kDeadline);

  // Its exit status as above, if it has ended though nobody has told it to or waited for its end.
  [[nodiscard]] std::optional<int> ended_by_itself() const;

  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::string errors() const;

 private:
  void read(int fd, bool standard_output);

  pid_t pid_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::string errors_;
  bool paused_ = false;
  // Streams that are read to their ends, which processes that it has started hold open as well.
  int streams_read_ = 0;
  bool output_read_ = false;
  // The test knows that it ends.
  bool end_expected_ = false;
  std::optional<int> status_;
  std::thread output_reader_;
  std::thread error_reader_;
  std::thread waiter_;
};

// Of a process, by /proc.
[[nodiscard]] std::set<pid_t> children_of(pid_t pid);
[[nodiscard]] std::size_t descriptors_of(pid_t pid);
[[nodiscard]] bool exists(pid_t pid);

// One raw HTTP exchange with 127.0.0.1: sends `request` as it is, then reads to the end.
struct RawHttp {
  explicit RawHttp(int port);
  ~RawHttp();
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;
  // False when the other side does not take it (any more).
  bool send(const std::string& bytes) const;
  // Everything up to the other side's end of the connection, or to the deadline.
  [[nodiscard]] std::string read_all(std::chrono::milliseconds deadline = kDeadline) const;

  int fd = -1;
};
[[nodiscard]] std::string http_exchange(int port, const std::string& request);
// A complete POST of JSON, to the drop-in endpoint or to another path.
[[nodiscard]] std::string post(const std::string& body, const std::string& more_headers = "",
                               const std::string& path = "/initialise_webrtc_worker");

}  // namespace webrtcupload::test
