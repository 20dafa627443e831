// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/chunk_sender.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace webrtcupload {

Result<ChunkSender> ChunkSender::create(std::uint64_t size, std::uint32_t chunk_size) {
  assert(chunk_size >= 1 && chunk_size <= kMaxChunkPayload);
  if (size == 0) {
    return Error{ErrorCode::kEmptyUpload,
                 "the upload has 0 bytes, and an upload needs at least 1 byte"};
  }
  const std::uint64_t total = size / chunk_size + (size % chunk_size != 0 ? 1 : 0);
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (total > kMost) {
    return Error{ErrorCode::kTooManyChunks,
                 std::to_string(size) + " bytes in chunks of " + std::to_string(chunk_size) +
                     " bytes are " + std::to_string(total) +
                     " chunks, and the wire format counts at most " + std::to_string(kMost)};
  }
  return ChunkSender(size, chunk_size, static_cast<std::uint32_t>(total));
}

ChunkSender::ChunkSender(std::uint64_t size, std::uint32_t chunk_size, std::uint32_t total_chunks)
    : size_(size), chunk_size_(chunk_size), total_chunks_(total_chunks) {}

std::size_t ChunkSender::full_message_size() const {
  const std::uint64_t payload = std::min<std::uint64_t>(chunk_size_, size_ - taken_bytes_);
  return kV1HeaderSize + static_cast<std::size_t>(payload);
}

bool ChunkSender::message_ready() const {
  return !message_.empty() && message_.size() == full_message_size();
}

Result<std::size_t> ChunkSender::feed(ByteView data) {
  if (data.size() > size_ - fed_bytes_) {
    return Error{ErrorCode::kSizeMismatch,
                 "more bytes came than the " + std::to_string(size_) + " that were announced: " +
                     std::to_string(data.size()) + " after byte " + std::to_string(fed_bytes_)};
  }
  if (data.empty()) return std::size_t{0};
  const std::size_t full_size = full_message_size();
  if (message_.empty()) {
    message_.reserve(full_size);
    message_.resize(kV1HeaderSize);
    encode_v1_header(taken_chunks_, total_chunks_,
                     std::span<std::uint8_t, kV1HeaderSize>(message_.data(), kV1HeaderSize));
  }
  const std::size_t take = std::min(data.size(), full_size - message_.size());
  message_.insert(message_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(take));
  fed_bytes_ += take;
  return take;
}

std::vector<std::uint8_t> ChunkSender::take_message() {
  assert(message_ready());
  taken_bytes_ += message_.size() - kV1HeaderSize;
  ++taken_chunks_;
  return std::exchange(message_, {});
}

std::optional<Error> ChunkSender::end() const {
  if (fed_bytes_ == size_) return std::nullopt;
  return Error{ErrorCode::kSizeMismatch, "the source ended after " + std::to_string(fed_bytes_) +
                                             " of the " + std::to_string(size_) +
                                             " bytes that were announced"};
}

std::uint64_t ChunkSender::sent_bytes(std::uint64_t buffered_amount) const {
  // buffered_amount counts headers too, so this is low by a few bytes per buffered message.
  return taken_bytes_ - std::min(taken_bytes_, buffered_amount);
}

int ChunkSender::percent(std::uint64_t buffered_amount) const {
  // No overflow: size_ is below 2^32 * 2^16.
  return static_cast<int>(sent_bytes(buffered_amount) * 100 / size_);
}

bool may_hand_over(std::uint64_t message_size, std::uint64_t buffered_amount,
                   std::uint64_t buffer_limit) {
  return messages_that_fit(message_size, buffered_amount, buffer_limit) > 0;
}

std::uint64_t messages_that_fit(std::uint64_t message_size, std::uint64_t buffered_amount,
                                std::uint64_t buffer_limit) {
  assert(message_size > 0);
  const std::uint64_t room = buffer_limit - std::min(buffer_limit, buffered_amount);
  const std::uint64_t fit = room / message_size;
  return fit == 0 && buffered_amount == 0 ? 1 : fit;
}

}  // namespace webrtcupload
