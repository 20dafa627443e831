// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/lost_cause.h"

#include <utility>

namespace webrtcupload::test {
namespace {

std::mutex causes_mutex;
std::list<std::function<bool()>> causes;

}  // namespace

LostCause::LostCause(std::function<bool()> lost) {
  const std::lock_guard lock(causes_mutex);
  place_ = causes.insert(causes.end(), std::move(lost));
}

LostCause::~LostCause() {
  const std::lock_guard lock(causes_mutex);
  causes.erase(place_);
}

bool cause_is_lost() {
  const std::lock_guard lock(causes_mutex);
  return std::any_of(causes.begin(), causes.end(), [](const auto& lost) { return lost(); });
}

}  // namespace webrtcupload::test
