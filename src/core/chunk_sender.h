// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sending side of an upload in wire format v1: cuts a byte stream of known size into messages
// and says when the next one may be handed over. It sends nothing itself.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/message.h"
#include "core/wire_v1.h"

namespace webrtcupload {

class ChunkSender {
 public:
  // `size` is that of the whole upload, `chunk_size` that of every payload but the last, which is
  // shorter when it must be. Fails when there is nothing to send (v1 has no way to say "an empty
  // file") or more chunks than the header can count. `chunk_size` is at most kMaxChunkPayload.
  [[nodiscard]] static Result<ChunkSender> create(std::uint64_t size, std::uint32_t chunk_size);

  // Takes bytes from the front of `data` until the message under way is full, and says how many
  // it took: none while message_ready(). Fails, without taking any, when `data` goes beyond the
  // announced size.
  Result<std::size_t> feed(ByteView data);

  // Whether a whole message waits to be taken.
  [[nodiscard]] bool message_ready() const;
  // Bytes of that message, header included.
  [[nodiscard]] std::size_t message_size() const { return message_.size(); }
  // The next message; only while message_ready().
  [[nodiscard]] std::vector<std::uint8_t> take_message();

  // True once the last message has been taken.
  [[nodiscard]] bool finished() const { return taken_chunks_ == total_chunks_; }
  // The source has no more bytes: an error when fewer came than were announced.
  [[nodiscard]] std::optional<Error> end() const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint32_t total_chunks() const { return total_chunks_; }
  // Messages taken, and their payload bytes.
  [[nodiscard]] std::uint32_t taken_chunks() const { return taken_chunks_; }
  [[nodiscard]] std::uint64_t taken_bytes() const { return taken_bytes_; }

  // Of the messages taken, how much has left a channel that still buffers `buffered_amount` bytes:
  // payload bytes, and as a percentage (100 only for all of it).
  [[nodiscard]] std::uint64_t sent_bytes(std::uint64_t buffered_amount) const;
  [[nodiscard]] int percent(std::uint64_t buffered_amount) const;

 private:
  ChunkSender(std::uint64_t size, std::uint32_t chunk_size, std::uint32_t total_chunks);

  // Size of the message that carries chunk `taken_chunks_`.
  [[nodiscard]] std::size_t full_message_size() const;

  std::uint64_t size_;
  std::uint32_t chunk_size_;
  std::uint32_t total_chunks_;
  std::uint32_t taken_chunks_ = 0;
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t fed_bytes_ = 0;
  // The message under way, header first; empty until its first byte is fed.
  std::vector<std::uint8_t> message_;
};

// Whether a message of `message_size` bytes may be handed to a channel that buffers
// `buffered_amount`, so that it then buffers at most `buffer_limit`. An empty channel takes any
// message, or a limit below the message size would stop the upload for good.
[[nodiscard]] bool may_hand_over(std::uint64_t message_size, std::uint64_t buffered_amount,
                                 std::uint64_t buffer_limit);

// How many messages of `message_size` bytes may be handed over in one go.
[[nodiscard]] std::uint64_t messages_that_fit(std::uint64_t message_size,
                                              std::uint64_t buffered_amount,
                                              std::uint64_t buffer_limit);

}  // namespace webrtcupload
