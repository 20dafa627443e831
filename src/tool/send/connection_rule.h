// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload in wire format v2 takes when nobody says: one more, as long as the
// way is what bounds it, and as the one before was worth it.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace webrtcupload {

class ConnectionRule {
 public:
  // An association brings at most its window for each round trip, and little where packets are
  // lost. With a short round trip neither bounds it: then the machines do, and share what they have
  // between the connections.
  static constexpr std::chrono::milliseconds kLeastRoundTrip{10};
  // Of the time: for how much the channels have to be full. Otherwise the source or the server is
  // what is waited for.
  static constexpr double kLeastWaiting = 0.5;
  // By how much the last one has to have raised the rate. What comes and goes by itself is less.
  static constexpr double kLeastGain = 1.2;
  // Each costs this machine, and the server, threads and memory.
  static constexpr unsigned kMost = 8;
  // For which the rate is measured, many round trips.
  static constexpr std::chrono::milliseconds kPeriod{2000};
  // For a new connection to find its rate, which SCTP doubles in each round trip.
  static constexpr std::chrono::milliseconds kSettling{1000};

  struct Figures {
    std::chrono::milliseconds now{0};  // From any moment on.
    // Since the upload began. Bytes that the server has, and what the sink has waited.
    std::uint64_t stored = 0;
    std::chrono::nanoseconds waited_for_room{0};
    std::chrono::nanoseconds waited_for_credit{0};
    // 0: not known.
    std::chrono::nanoseconds round_trip{0};
    // That have joined.
    unsigned connections = 0;
  };

  // `most` is what the server accepts.
  explicit ConnectionRule(unsigned most);

  // Whether to make another one now. To be asked again and again, the more often the better.
  [[nodiscard]] bool wants_more(const Figures& figures);
  // The one that was wanted has not come about.
  void note_failure() { over_ = true; }

 private:
  // Whether what happened since begin_ says that another one may help.
  [[nodiscard]] bool is_bounded_by_way(const Figures& figures) const;

  const unsigned most_;
  // No more is wanted.
  bool over_ = false;
  // One is waited for, to those that there were.
  std::optional<unsigned> waits_beside_;
  std::chrono::milliseconds settled_at_{0};
  // Of the period.
  std::optional<Figures> begin_;
  // Bytes a second before the last one was added.
  std::optional<double> rate_before_;
};

}  // namespace webrtcupload
