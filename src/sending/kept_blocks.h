// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The last bytes of a file that may have to be sent again, as the messages that have carried them:
// what is kept is what the channel was given, so keeping costs no copy, and sending a block again
// neither a copy nor another checksum.
//
// Buffers of upstream's are not kept. Their bytes are copied into the message anyway, as they have
// to stand behind its header; and a source that has a few buffers only, which it uses again and
// again, would wait for one that is kept here until the receiver has stored it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/stored_ranges.h"
#include "webrtc/channel_sending.h"

namespace webrtcupload {

class KeptBlocks {
 public:
  // Four times what a receiver with the default window lets be under way. Beyond that the sink
  // takes nothing more from upstream before the receiver has stored what is oldest.
  static constexpr std::uint64_t kLimit = 32ULL * 1024 * 1024;
  // What a block takes besides its payload, about: a source may be cut into very small ones.
  static constexpr std::uint64_t kOverhead = 256;

  // The block that follows those before, with its header.
  void add(SharedMessage message);
  // Bytes before `offset` are not needed any more.
  void forget_before(std::uint64_t offset);
  [[nodiscard]] bool is_full() const { return used_ >= kLimit; }
  // Where the next block begins.
  [[nodiscard]] std::uint64_t end() const { return end_; }

  // The message that carries `range`, all of which is kept.
  [[nodiscard]] SharedMessage message_of(const Range& range) const;

 private:
  struct Block {
    Range range;
    SharedMessage message;
  };

  std::deque<Block> blocks_;
  std::uint64_t end_ = 0;
  std::uint64_t used_ = 0;
};

// Writes the header of a block that begins at `offset`, in front of its payload.
void write_header(std::vector<std::uint8_t>& message, std::uint64_t offset);

}  // namespace webrtcupload
