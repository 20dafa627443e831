// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The data channels that the other side has announced: how many, and the labels of the first ones.
// Filled on webrtcbin's pc thread, read on any.

#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "core/mutex.h"

namespace webrtcupload {

class AnnouncedChannels {
 public:
  // How many there are with this one.
  std::size_t add(const std::string& label);
  [[nodiscard]] std::size_t count() const;
  // Why nothing has come over a channel with this label, for a person.
  [[nodiscard]] std::string why_nothing_came(const std::string& label) const;

 private:
  static constexpr std::size_t kMostLabels = 16;
  mutable Mutex mutex_;  // A leaf.
  std::size_t count_ GUARDED_BY(mutex_) = 0;
  std::set<std::string> labels_ GUARDED_BY(mutex_);
};

}  // namespace webrtcupload
