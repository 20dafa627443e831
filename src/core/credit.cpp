// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/credit.h"

#include <algorithm>

namespace webrtcupload {

void CreditWindow::add(ChannelId channel) { channels_.try_emplace(channel); }

void CreditWindow::remove(ChannelId channel) { channels_.erase(channel); }

void CreditWindow::received(ChannelId channel, std::uint64_t bytes) {
  channels_.at(channel).received += bytes;
}

bool CreditWindow::allows(std::uint64_t waiting) const {
  const std::uint64_t blocks = channels_.size() * least_;
  const std::uint64_t usual = std::max(2 * window_, most() + blocks);
  std::uint64_t granted = 0;
  for (const auto& [id, channel] : channels_) granted += outstanding(channel);
  // The window was larger before. A block for each channel is room for what is not counted in it.
  return waiting <= (granted > usual ? granted + blocks : usual);
}

void CreditWindow::resize(std::uint64_t window, std::uint64_t least) {
  window_ = window;
  least_ = least;
}

std::uint64_t CreditWindow::outstanding(const Channel& channel) {
  return channel.told - std::min(channel.told, channel.received);
}

std::uint64_t CreditWindow::share() const {
  return std::max(window_ / std::max<std::size_t>(channels_.size(), 1), least_);
}

// Half as much again as the window. A channel may hold all of the window when another one joins,
// and may be dead without anybody's knowing yet: a phone that has changed its network comes back
// over a new connection before the old one is given up, and has to get on at once.
std::uint64_t CreditWindow::most() const { return window_ + window_ / 2; }

std::uint64_t CreditWindow::credit(ChannelId channel) const {
  std::uint64_t others = 0;
  for (const auto& [id, other] : channels_) {
    if (id != channel) others += outstanding(other);
  }
  const std::uint64_t room = most() - std::min(most(), others);
  const Channel& to = channels_.at(channel);
  return std::max(to.told, to.received + std::max(least_, std::min(share(), room)));
}

bool CreditWindow::should_tell(ChannelId channel) const {
  const Channel& to = channels_.at(channel);
  const std::uint64_t gain = credit(channel) - to.told;
  // Where there is little room, a quarter of the share may never come together.
  return gain > 0 && (gain >= share() / 4 || (outstanding(to) < least_ && gain >= least_ / 2));
}

}  // namespace webrtcupload
