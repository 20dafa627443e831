// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_framing.h"

#include <algorithm>
#include <utility>

#include "core/little_endian.h"

namespace webrtcupload {

std::uint32_t result_chunk_count(std::size_t size) {
  if (size == 0) return 1;
  return static_cast<std::uint32_t>((size - 1) / kMaxResultPayload + 1);
}

std::vector<std::uint8_t> result_message(std::uint32_t frame_id, std::uint32_t chunk_index,
                                         std::string_view text) {
  const std::string_view payload =
      text.substr(std::size_t{chunk_index} * kMaxResultPayload, kMaxResultPayload);
  std::vector<std::uint8_t> message(kResultHeaderSize + payload.size());
  put_little_endian(frame_id, message.data());
  put_little_endian(chunk_index, message.data() + 4);
  put_little_endian(result_chunk_count(text.size()), message.data() + 8);
  std::copy(payload.begin(), payload.end(), message.begin() + kResultHeaderSize);
  return message;
}

std::optional<ResultChunk> parse_result_message(ByteView message) {
  if (message.size() < kResultHeaderSize ||
      message.size() > kResultHeaderSize + kMaxResultPayload) {
    return std::nullopt;
  }
  const ResultChunk chunk{.frame_id = get_little_endian(message.data()),
                          .chunk_index = get_little_endian(message.data() + 4),
                          .total_chunks = get_little_endian(message.data() + 8),
                          .payload = message.subspan(kResultHeaderSize)};
  if (chunk.frame_id == 0 || chunk.chunk_index >= chunk.total_chunks) return std::nullopt;
  if (chunk.payload.empty() && chunk.total_chunks > 1) return std::nullopt;
  return chunk;
}

std::optional<ResultAssembler::Assembled> ResultAssembler::add(ByteView message) {
  const auto chunk = parse_result_message(message);
  if (!chunk) return std::nullopt;
  const auto [entry, is_new] = pending_.try_emplace(chunk->frame_id);
  Pending& pending = entry->second;
  if (is_new) {
    pending.age = next_age_++;
    pending.total_chunks = chunk->total_chunks;
    pending_memory_ += pending.memory;
  } else if (pending.total_chunks != chunk->total_chunks) {
    return std::nullopt;
  }
  if (!pending.chunks.try_emplace(chunk->chunk_index, chunk->payload.begin(), chunk->payload.end())
           .second) {
    return std::nullopt;
  }
  pending.bytes += chunk->payload.size();
  pending.memory += kMessageCost + chunk->payload.size();
  pending_memory_ += kMessageCost + chunk->payload.size();

  if (pending.chunks.size() == pending.total_chunks) {
    Assembled result{chunk->frame_id, {}};
    result.text.reserve(pending.bytes);
    for (const auto& [index, piece] : pending.chunks) result.text += piece;
    forget(entry);
    return result;
  }
  while (pending_memory_ > limits_.max_memory || pending_.size() > limits_.max_results) {
    forget(std::min_element(pending_.begin(), pending_.end(), [](const auto& a, const auto& b) {
      return a.second.age < b.second.age;
    }));
  }
  return std::nullopt;
}

void ResultAssembler::forget(PendingMap::iterator result) {
  pending_memory_ -= result->second.memory;
  pending_.erase(result);
}

}  // namespace webrtcupload
