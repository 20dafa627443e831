// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload in wire format v2 takes when nobody says: docs/operating.md, "How
// many connections", says why. upload.js has the same rule and the same numbers.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace webrtcupload {

class ConnectionRule {
 public:
  // A shorter round trip is no reason for several.
  static constexpr std::chrono::milliseconds kFar{20};
  // Nor is less than this, which is over before another connection is there.
  static constexpr std::uint64_t kLeastBytes = 4 << 20;
  // So many at once, as soon as the way is known to be far. Then one at a time, up to
  static constexpr unsigned kAtOnce = 4;
  static constexpr unsigned kMost = 8;
  // By how much the last one has to have raised the rate. What comes and goes by itself is less.
  static constexpr double kLeastGain = 1.2;
  // A new connection begins slowly. Only then the rate is measured, over so long.
  static constexpr std::chrono::milliseconds kSettling{500};
  static constexpr std::chrono::milliseconds kPeriod{1500};
  // The rate after a loss is another one than before. Only what is bad twice is bad.
  static constexpr int kBadMeasurements = 2;
  // Of the time: for how much the channels have to be full. Otherwise the source or the server is
  // what is waited for.
  static constexpr double kLeastWaiting = 0.75;

  struct Figures {
    std::chrono::milliseconds now{0};  // From any moment on.
    // Bytes that the server has, and those that it has not; nothing: not known.
    std::uint64_t stored = 0;
    std::optional<std::uint64_t> left;
    // Since the upload began: what the sink has waited.
    std::chrono::nanoseconds waited_for_room{0};
    // The shortest that was seen. 0: not known.
    std::chrono::nanoseconds round_trip{0};
    // That have joined.
    unsigned connections = 0;
  };

  // `most` is what the server accepts.
  explicit ConnectionRule(unsigned most);

  // How many there should be. To be asked again and again, the more often the better.
  [[nodiscard]] unsigned wanted(const Figures& figures);
  // The one that was wanted has not come about.
  void note_failure() { over_ = true; }

 private:
  void note_connections(const Figures& figures);
  // Bytes a second, at the end of a period in which the way has bounded it.
  [[nodiscard]] std::optional<double> measure(const Figures& figures);

  const unsigned most_;
  // No more is wanted.
  bool over_ = false;
  // Whether the way has been looked at.
  bool begun_ = false;
  unsigned connections_ = 0;
  // Bytes a second when the last one was asked for, and with one connection less.
  double rate_ = 0;
  double rate_before_ = 0;
  int bad_ = 0;
  std::chrono::milliseconds settled_at_{0};
  // Of the period.
  std::optional<Figures> begin_;
};

}  // namespace webrtcupload
