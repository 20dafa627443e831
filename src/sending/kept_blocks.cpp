// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/kept_blocks.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "core/wire_v2.h"

namespace webrtcupload {

void KeptBlocks::add(SharedMessage message) {
  assert(message->size() > kV2HeaderSize);
  const Range range{end_, end_ + message->size() - kV2HeaderSize};
  end_ = range.end;
  used_ += range.length() + kOverhead;
  blocks_.push_back({range, std::move(message)});
}

void KeptBlocks::forget_before(std::uint64_t offset) {
  while (!blocks_.empty() && blocks_.front().range.end <= offset) {
    used_ -= blocks_.front().range.length() + kOverhead;
    blocks_.pop_front();
  }
}

SharedMessage KeptBlocks::message_of(const Range& range) const {
  auto block = std::ranges::upper_bound(blocks_, range.begin, std::less(),
                                        [](const Block& kept) { return kept.range.end; });
  assert(block != blocks_.end() && block->range.begin <= range.begin && range.end <= end_);
  if (block->range == range) return block->message;
  // The receiver has a part of a block, or wants smaller ones now.
  std::vector<std::uint8_t> message(kV2HeaderSize);
  message.reserve(kV2HeaderSize + range.length());
  for (std::uint64_t at = range.begin; at < range.end; ++block) {
    const std::uint64_t end = std::min(range.end, block->range.end);
    const auto first = block->message->begin() +
                       static_cast<std::ptrdiff_t>(kV2HeaderSize + at - block->range.begin);
    message.insert(message.end(), first, first + static_cast<std::ptrdiff_t>(end - at));
    at = end;
  }
  write_header(message, range.begin);
  return std::make_shared<const std::vector<std::uint8_t>>(std::move(message));
}

void write_header(std::vector<std::uint8_t>& message, std::uint64_t offset) {
  encode_v2_header(offset, ByteView(message).subspan(kV2HeaderSize),
                   std::span<std::uint8_t, kV2HeaderSize>(message.data(), kV2HeaderSize));
}

}  // namespace webrtcupload
