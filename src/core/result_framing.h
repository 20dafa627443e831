// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How a result travels: its JSON text is cut into binary messages of the results channel, each with
// a header. The same for whoever puts them together again.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                    frame_id (little endian)                   |
//   +---------------------------------------------------------------+
//   |                    chunk_index (little endian)                |
//   +---------------------------------------------------------------+
//   |                    total_chunks (little endian)               |
//   +---------------------------------------------------------------+
//   |                    at most 49,152 bytes of the text           :
//   +---------------------------------------------------------------+

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"

namespace webrtcupload {

inline constexpr std::size_t kResultHeaderSize = 12;
// Small enough for every peer's largest message (64 KiB where the SDP does not say otherwise).
inline constexpr std::size_t kMaxResultPayload = 49152;

// How many messages a text of `size` bytes needs: at least one.
[[nodiscard]] std::uint32_t result_chunk_count(std::size_t size);
// Message `chunk_index` of them. `chunk_index` has to be below result_chunk_count(text.size()).
[[nodiscard]] std::vector<std::uint8_t> result_message(std::uint32_t frame_id,
                                                       std::uint32_t chunk_index,
                                                       std::string_view text);

struct ResultChunk {
  std::uint32_t frame_id = 0;
  std::uint32_t chunk_index = 0;
  std::uint32_t total_chunks = 0;
  ByteView payload;  // Points into the message.
};

// Nothing if `message` is too short or too long, or if its numbers cannot be right.
[[nodiscard]] std::optional<ResultChunk> parse_result_message(ByteView message);

// Puts results together, in whatever order their messages come. What waits for its missing messages
// is bounded by the memory that it takes: the results that have waited longest are given up.
class ResultAssembler {
 public:
  // What a message takes beside its payload, which may be one byte, and a result beside its
  // messages: nodes and what the allocator adds, rounded up.
  static constexpr std::size_t kMessageCost = 128;
  static constexpr std::size_t kResultCost = 256;
  struct Limits {
    std::size_t max_memory = 64ULL * 1024 * 1024;
    std::size_t max_results = 64;
  };
  struct Assembled {
    std::uint32_t frame_id = 0;
    std::string text;
  };

  ResultAssembler() : ResultAssembler(Limits{}) {}
  explicit ResultAssembler(const Limits& limits) : limits_(limits) {}

  // The result that `message` completes, if it does. Messages that are malformed or come again are
  // ignored.
  [[nodiscard]] std::optional<Assembled> add(ByteView message);

  // Of results that are not complete yet.
  [[nodiscard]] std::size_t pending_results() const { return pending_.size(); }
  // What they take, payloads and all else.
  [[nodiscard]] std::size_t pending_memory() const { return pending_memory_; }

 private:
  struct Pending {
    std::uint64_t age = 0;  // Counts arrivals of first messages.
    std::uint32_t total_chunks = 0;
    std::size_t bytes = 0;  // Of payloads.
    std::size_t memory = kResultCost;
    std::map<std::uint32_t, std::string> chunks;
  };
  using PendingMap = std::map<std::uint32_t, Pending>;

  void forget(PendingMap::iterator result);

  const Limits limits_;
  PendingMap pending_;
  std::size_t pending_memory_ = 0;
  std::uint64_t next_age_ = 0;
};

}  // namespace webrtcupload
