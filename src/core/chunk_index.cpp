// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/chunk_index.h"

#include <algorithm>
#include <iterator>

namespace webrtcupload {

ChunkIndex::Runs::const_iterator ChunkIndex::run_of(std::uint32_t index) const {
  auto after = runs_.upper_bound(index);
  if (after == runs_.begin()) return runs_.end();
  const auto candidate = std::prev(after);
  return index - candidate->first < candidate->second.count ? candidate : runs_.end();
}

std::optional<Extent> ChunkIndex::find(std::uint32_t index) const {
  const auto run = run_of(index);
  if (run == runs_.end()) return std::nullopt;
  const std::uint64_t length = run->second.chunk_length;
  return Extent{run->second.position + (index - run->first) * length, length};
}

void ChunkIndex::insert(std::uint32_t index, Extent where) {
  ++chunks_;
  // The spool only grows, so a chunk can continue the run before it but never precede the run
  // behind it.
  const auto after = runs_.lower_bound(index);
  bool joined = false;
  if (after != runs_.begin()) {
    auto& [first, run] = *std::prev(after);
    const std::uint64_t run_bytes = std::uint64_t{run.count} * run.chunk_length;
    joined = first + run.count == index && run.chunk_length == where.length &&
             run.position + run_bytes == where.position;
    if (joined) ++run.count;
  }
  if (!joined) {
    runs_.emplace_hint(after, index,
                       Run{1, static_cast<std::uint32_t>(where.length), where.position});
  }
  if (index == contiguous_chunks_) {
    ++contiguous_chunks_;
    append_to_prefix(where);
    extend_prefix();
  }
}

void ChunkIndex::append_to_prefix(Extent where) {
  if (!prefix_.empty()) {
    Extent& last = prefix_.back().where;
    if (last.position + last.length == where.position) {
      last.length += where.length;
      contiguous_bytes_ += where.length;
      return;
    }
  }
  prefix_.push_back({contiguous_bytes_, where});
  contiguous_bytes_ += where.length;
}

void ChunkIndex::extend_prefix() {
  // Chunks that had come early and now join on. A run is taken whole: it starts exactly here,
  // because the chunk before it came later than it did.
  for (auto run = runs_.find(contiguous_chunks_); run != runs_.end();
       run = runs_.find(contiguous_chunks_)) {
    append_to_prefix(
        {run->second.position, std::uint64_t{run->second.count} * run->second.chunk_length});
    contiguous_chunks_ += run->second.count;
  }
}

std::optional<Extent> ChunkIndex::locate(std::uint64_t offset) const {
  if (offset >= contiguous_bytes_) return std::nullopt;
  const auto after = std::upper_bound(
      prefix_.begin(), prefix_.end(), offset,
      [](std::uint64_t wanted, const Segment& segment) { return wanted < segment.offset; });
  const Segment& segment = *std::prev(after);
  const std::uint64_t skipped = offset - segment.offset;
  return Extent{segment.where.position + skipped, segment.where.length - skipped};
}

}  // namespace webrtcupload
