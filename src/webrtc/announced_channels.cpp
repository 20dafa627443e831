// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/announced_channels.h"

namespace webrtcupload {

std::size_t AnnouncedChannels::add(const std::string& label) {
  const MutexLock lock(mutex_);
  if (labels_.size() < kMostLabels) labels_.insert(label);
  return ++count_;
}

std::size_t AnnouncedChannels::count() const {
  const MutexLock lock(mutex_);
  return count_;
}

std::string AnnouncedChannels::why_nothing_came(const std::string& label) const {
  const MutexLock lock(mutex_);
  if (labels_.empty()) {
    return "the client is connected, but announced no data channel (one that is made with "
           "negotiated: true is never announced)";
  }
  if (!labels_.contains(label)) {
    return "the client is connected, but announced no data channel with the label \"" + label +
           "\"";
  }
  return "the client opened its data channel \"" + label + "\", but sent no chunk over it";
}

}  // namespace webrtcupload
