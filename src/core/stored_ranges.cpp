// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/stored_ranges.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <iterator>

namespace webrtcupload {

StoredRanges::Ranges::const_iterator StoredRanges::find_from(std::uint64_t offset,
                                                             bool touching) const {
  auto range = ranges_.upper_bound(offset);
  if (range == ranges_.begin()) return range;
  const auto before = std::prev(range);
  return before->second > offset || (touching && before->second == offset) ? before : range;
}

void StoredRanges::add(Range added) {
  assert(!added.empty());
  auto range = find_from(added.begin, true);
  while (range != ranges_.end() && range->first <= added.end) {
    added.begin = std::min(added.begin, range->first);
    added.end = std::max(added.end, range->second);
    bytes_ -= range->second - range->first;
    range = ranges_.erase(range);
  }
  ranges_.emplace_hint(range, added.begin, added.end);
  bytes_ += added.length();
}

void StoredRanges::remove(Range removed) {
  auto range = find_from(removed.begin, false);
  while (range != ranges_.end() && range->first < removed.end) {
    const Range whole{range->first, range->second};
    range = ranges_.erase(range);
    const Range before{whole.begin, std::max(whole.begin, std::min(whole.end, removed.begin))};
    const Range after{std::min(whole.end, std::max(whole.begin, removed.end)), whole.end};
    if (!before.empty()) ranges_.emplace(before.begin, before.end);
    if (!after.empty()) ranges_.emplace(after.begin, after.end);
    bytes_ -= whole.length() - before.length() - after.length();
  }
}

std::uint64_t StoredRanges::contiguous_bytes() const {
  const auto first = ranges_.begin();
  return first != ranges_.end() && first->first == 0 ? first->second : 0;
}

std::uint64_t StoredRanges::end() const {
  return ranges_.empty() ? 0 : std::prev(ranges_.end())->second;
}

bool StoredRanges::contains(Range range) const { return !first_missing(range); }

std::size_t StoredRanges::holes() const {
  const bool at_start = !ranges_.empty() && ranges_.begin()->first == 0;
  return ranges_.size() - (at_start ? 1 : 0);
}

std::size_t StoredRanges::holes_with(Range added) const {
  std::size_t joined = 0;
  for (auto range = find_from(added.begin, true);
       range != ranges_.end() && range->first <= added.end; ++range) {
    ++joined;
  }
  const bool at_start = added.begin == 0 || (!ranges_.empty() && ranges_.begin()->first == 0);
  return ranges_.size() + 1 - joined - (at_start ? 1 : 0);
}

std::optional<Range> StoredRanges::first_stored(Range within) const {
  const auto range = find_from(within.begin, false);
  if (range == ranges_.end()) return std::nullopt;
  const Range stored{std::max(range->first, within.begin), std::min(range->second, within.end)};
  return stored.empty() ? std::nullopt : std::optional(stored);
}

std::optional<Range> StoredRanges::first_missing(Range within) const {
  auto range = find_from(within.begin, false);
  if (range != ranges_.end() && range->first <= within.begin) {
    within.begin = range->second;
    ++range;
  }
  if (range != ranges_.end()) within.end = std::min(within.end, range->first);
  return within.empty() ? std::nullopt : std::optional(within);
}

std::optional<Range> StoredRanges::last_missing(Range within) const {
  if (within.empty()) return std::nullopt;
  // The last range that begins before the end; its predecessor matters when it reaches so far.
  auto range = ranges_.lower_bound(within.end);
  if (range == ranges_.begin()) return within;
  --range;
  if (range->second < within.end) {
    within.begin = std::max(within.begin, range->second);
    return within;
  }
  within.end = range->first;
  if (range != ranges_.begin()) within.begin = std::max(within.begin, std::prev(range)->second);
  return within.empty() ? std::nullopt : std::optional(within);
}

std::vector<Range> StoredRanges::list(std::size_t most) const {
  std::vector<Range> list;
  list.reserve(ranges_.size());
  for (const auto& [begin, end] : ranges_) list.push_back({begin, end});
  if (list.size() <= most) return list;
  std::ranges::nth_element(list, list.begin() + static_cast<std::ptrdiff_t>(most), std::greater(),
                           &Range::length);
  list.resize(most);
  std::ranges::sort(list, std::less(), &Range::begin);
  return list;
}

}  // namespace webrtcupload
