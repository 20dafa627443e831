// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/connection_rule.h"

#include <algorithm>
#include <utility>

namespace webrtcupload {

ConnectionRule::ConnectionRule(unsigned most) : most_(std::min(most, kMost)) {}

bool ConnectionRule::wants_more(const Figures& figures) {
  if (over_) return false;
  if (waits_beside_) {
    if (figures.connections <= *waits_beside_) return false;
    waits_beside_.reset();
    settled_at_ = figures.now + kSettling;
    begin_.reset();
  }
  if (figures.now < settled_at_) return false;
  // With another number of them it is another rate.
  if (!begin_ || figures.connections != begin_->connections || figures.stored < begin_->stored) {
    if (begin_) rate_before_.reset();
    begin_ = figures;
    return false;
  }
  const auto elapsed = figures.now - begin_->now;
  if (elapsed < kPeriod) return false;
  const double rate = static_cast<double>(figures.stored - begin_->stored) /
                      std::chrono::duration<double>(elapsed).count();
  if (const auto before = std::exchange(rate_before_, std::nullopt);
      before && rate < kLeastGain * *before) {
    over_ = true;
    return false;
  }
  const bool wants = figures.connections < most_ && is_bounded_by_way(figures);
  begin_ = figures;
  if (!wants) return false;
  rate_before_ = rate;
  waits_beside_ = figures.connections;
  return true;
}

bool ConnectionRule::is_bounded_by_way(const Figures& figures) const {
  if (figures.round_trip < kLeastRoundTrip) return false;
  const auto for_room = figures.waited_for_room - begin_->waited_for_room;
  const auto for_credit = figures.waited_for_credit - begin_->waited_for_credit;
  const std::chrono::duration<double> elapsed = figures.now - begin_->now;
  return for_room >= kLeastWaiting * elapsed && for_room > for_credit;
}

}  // namespace webrtcupload
