// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/progress_display.h"

#include <algorithm>
#include <cinttypes>
#include <sys/ioctl.h>
#include <unistd.h>

namespace webrtcupload {
namespace {

// Between lines about something whose size is not known.
constexpr std::chrono::milliseconds kLineInterval{5000};

double rate_of(const ProgressState& state) {
  if (state.elapsed.count() <= 0) return 0;
  return static_cast<double>(state.bytes) * 1000 / static_cast<double>(state.elapsed.count());
}

std::string format_rate(const ProgressState& state) {
  return format_size(static_cast<std::uint64_t>(rate_of(state))) + "/s";
}

int columns_of(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (value < 999.95 && *unit) break;
    value /= 1000;
    unit = next;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, unit);
  return text;
}

std::string format_time(std::chrono::seconds time) {
  const std::int64_t seconds = time.count();
  char text[48];
  if (seconds >= 3600) {
    std::snprintf(text, sizeof text, "%" PRId64 ":%02d:%02d", seconds / 3600,
                  static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(seconds / 60),
                  static_cast<int>(seconds % 60));
  }
  return text;
}

int percent_of(const ProgressState& state) {
  if (state.total == 0) return 0;
  // 100 % is for all of it only.
  return static_cast<int>(std::min(state.bytes, state.total) * 100 / state.total);
}

std::string format_bar(const ProgressState& state, int columns) {
  const auto room_for_text = static_cast<std::size_t>(std::max(columns - 1, 0));
  if (state.total == 0) {
    return (format_size(state.bytes) + "  " + format_rate(state)).substr(0, room_for_text);
  }
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3d %%", percent_of(state));
  std::string text = std::string(percent) + "  " + format_size(state.bytes) + " of " +
                     format_size(state.total) + "  " + format_rate(state);
  if (const double rate = rate_of(state); rate >= 1 && state.bytes < state.total) {
    const double left = static_cast<double>(state.total - state.bytes) / rate;
    text += "  " +
            format_time(std::chrono::seconds(static_cast<std::int64_t>(std::min(left, 359999.0)))) +
            " left";
  }
  const int room = std::min(columns - 1 - static_cast<int>(text.size()) - 4, 40);
  if (room < 4) return text.substr(0, room_for_text);
  const int filled = percent_of(state) * room / 100;
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(room - filled), '-') + "]  " + text;
}

std::string format_line(const ProgressState& state) {
  if (state.total == 0) return format_size(state.bytes) + ", " + format_rate(state);
  return std::to_string(percent_of(state)) + " %, " + format_size(state.bytes) + " of " +
         format_size(state.total) + ", " + format_rate(state);
}

std::string format_loss(const LossState& state) {
  return "Connection lost, trying again (attempt " + std::to_string(state.attempt) + ", " +
         std::to_string(state.left.count()) + " s left)";
}

ProgressDisplay::ProgressDisplay(std::FILE* out) : out_(out), terminal_(isatty(fileno(out))) {}

void ProgressDisplay::update(const ProgressState& state) {
  left_.reset();
  if (terminal_) {
    draw(format_bar(state, columns_of(out_)));
  } else if (is_line_due(state)) {
    say(format_line(state));
  }
}

void ProgressDisplay::update(const LossState& state) {
  if (terminal_) {
    draw(format_loss(state).substr(0, static_cast<std::size_t>(columns_of(out_) - 1)));
  } else if (is_line_due(state)) {
    say(format_loss(state));
  }
}

void ProgressDisplay::draw(const std::string& text) {
  std::fprintf(out_, "\r\033[K%s", text.c_str());
  std::fflush(out_);
  drawn_ = true;
}

void ProgressDisplay::begin_anew() {
  clear();
  last_decile_ = -1;
  next_line_ = std::chrono::milliseconds(0);
  left_.reset();
}

bool ProgressDisplay::is_line_due(const ProgressState& state) {
  if (state.total == 0) {
    if (state.elapsed < next_line_) return false;
    next_line_ = state.elapsed + kLineInterval;
    return true;
  }
  const int decile = percent_of(state) / 10;
  if (decile <= last_decile_) return false;
  last_decile_ = decile;
  return true;
}

bool ProgressDisplay::is_line_due(const LossState& state) {
  if (left_ && *left_ - state.left < kLineInterval) return false;
  left_ = state.left;
  return true;
}

void ProgressDisplay::say(const std::string& text) {
  clear();
  std::fprintf(out_, "%s\n", text.c_str());
  std::fflush(out_);
}

void ProgressDisplay::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
  drawn_ = false;
}

}  // namespace webrtcupload
