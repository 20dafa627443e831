// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How far an upload is, for a person: a bar that redraws itself on a terminal, a line now and then
// elsewhere.

#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace webrtcupload {

// "12.3 MB", "980 bytes"; decimal prefixes, as file managers show them.
[[nodiscard]] std::string format_size(std::uint64_t bytes);
// "0:07", "1:02:03"
[[nodiscard]] std::string format_time(std::chrono::seconds time);

struct ProgressState {
  std::uint64_t bytes = 0;
  // 0: not known.
  std::uint64_t total = 0;
  std::chrono::milliseconds elapsed{0};
};

// While nothing goes on, because the connection is lost.
struct LossState {
  int attempt = 1;
  std::chrono::seconds left{0};  // For which it is tried.
};

[[nodiscard]] int percent_of(const ProgressState& state);
// "[#####-----]  50 %  1.0 of 2.0 MB  3.1 MB/s  0:01 left" in at most `columns`; with an unknown
// total "1.0 MB  3.1 MB/s".
[[nodiscard]] std::string format_bar(const ProgressState& state, int columns);
// "50 %, 1.0 MB of 2.0 MB, 3.1 MB/s", or "1.0 MB, 3.1 MB/s"
[[nodiscard]] std::string format_line(const ProgressState& state);
// "Connection lost, trying again (attempt 2, 45 s left)"
[[nodiscard]] std::string format_loss(const LossState& state);

class ProgressDisplay {
 public:
  // Draws a bar if `out` is a terminal.
  explicit ProgressDisplay(std::FILE* out);
  ~ProgressDisplay() { clear(); }

  // Elsewhere than on a terminal a line for each tenth, or every few seconds where the total is not
  // known.
  void update(const ProgressState& state);
  // In the place of the bar; elsewhere a line at first, and then now and then.
  void update(const LossState& state);
  // What is shown from now on is another upload.
  void begin_anew();
  // A line of text that stays, below what was shown so far.
  void say(const std::string& text);
  // Takes the bar away.
  void clear();

 private:
  [[nodiscard]] bool is_line_due(const ProgressState& state);
  [[nodiscard]] bool is_line_due(const LossState& state);
  void draw(const std::string& text);

  std::FILE* out_;
  const bool terminal_;
  bool drawn_ = false;
  int last_decile_ = -1;
  std::chrono::milliseconds next_line_{0};    // Where there are no deciles.
  std::optional<std::chrono::seconds> left_;  // When a line told of it last.
};

}  // namespace webrtcupload
