// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/connection_rule.h"

#include <algorithm>
#include <utility>

namespace webrtcupload {

ConnectionRule::ConnectionRule(unsigned most) : most_(std::min(most, kMost)) {}

unsigned ConnectionRule::wanted(const Figures& figures) {
  const unsigned connections = figures.connections;
  if (over_) return connections;
  if (connections != connections_) note_connections(figures);
  const bool is_known = figures.round_trip.count() > 0;
  const bool may = figures.round_trip >= kFar && connections < most_ &&
                   figures.left.value_or(kLeastBytes) >= kLeastBytes;
  if (is_known && !std::exchange(begun_, true) && may) {
    return std::max(connections, std::min(kAtOnce, most_));
  }
  const auto rate = measure(figures);
  if (!rate) return connections;
  bad_ = *rate >= kLeastGain * rate_before_ ? 0 : bad_ + 1;
  if (bad_ > 0 || !may) return connections;
  rate_ = *rate;
  return connections + 1;
}

void ConnectionRule::note_connections(const Figures& figures) {
  // One that was lost leaves nothing to compare with.
  rate_before_ = figures.connections > connections_ ? rate_ : 0;
  connections_ = figures.connections;
  bad_ = 0;
  begin_.reset();
  settled_at_ = figures.now + kSettling;
}

std::optional<double> ConnectionRule::measure(const Figures& figures) {
  if (figures.now < settled_at_ || bad_ >= kBadMeasurements) return std::nullopt;
  if (!begin_) begin_ = figures;
  const std::chrono::duration<double> elapsed = figures.now - begin_->now;
  if (elapsed < kPeriod) return std::nullopt;
  const Figures begin = *std::exchange(begin_, figures);
  if (figures.stored < begin.stored ||
      figures.waited_for_room - begin.waited_for_room < kLeastWaiting * elapsed) {
    return std::nullopt;
  }
  return static_cast<double>(figures.stored - begin.stored) / elapsed.count();
}

}  // namespace webrtcupload
