// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The receiving side of one upload in wire format v1: every rule about what a peer may send, and
// nothing that acts. The caller hands in messages and the time, carries out the one action that
// comes back, and says how it went:
//
//   receive(message) -> Authorize -> authorized() -> Store -> stored()
//                    -> Store     -> stored()
//                    -> Compare   -> compared()
//                    -> Reply, Fail or Nothing: no answer needed
//
// The message has to stay valid until its action is answered, and the next one is handed in after
// that. Not thread-safe.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/chunk_index.h"
#include "core/upload_life.h"

namespace webrtcupload {

class Receiver final : public UploadLife {
 public:
  Receiver(const Limits& limits, std::unique_ptr<MessageParser> parser,
           TimeBegins time_begins = TimeBegins::kWithTheChannel);

  // The channel is open: time begins, if it does with that.
  void channel_opened(TimePoint now) {
    if (time_begins_ == TimeBegins::kWithTheChannel) opened(now);
  }
  [[nodiscard]] Action receive(const Message& message, TimePoint now);

  // Answers to the action just given out.
  [[nodiscard]] Action authorized(bool allowed);
  void stored(TimePoint now);
  [[nodiscard]] Action compared(bool equal);

  // To be called at or after deadline(); finds which time-out has passed, if any, and whether the
  // peer is too slow.
  [[nodiscard]] Action tick(TimePoint now) { return check_times(now); }
  [[nodiscard]] std::optional<TimePoint> deadline() const { return next_time(); }

  [[nodiscard]] const ChunkIndex& chunks() const { return chunks_; }
  // Before the upload is complete, what the chunks seen so far let expect.
  [[nodiscard]] std::optional<std::uint64_t> expected_size() const override;
  // By chunks.
  [[nodiscard]] int percent() const override;
  [[nodiscard]] std::optional<Extent> locate(std::uint64_t offset) const override {
    return chunks_.locate(offset);
  }
  [[nodiscard]] std::uint64_t contiguous_bytes() const override {
    return chunks_.contiguous_bytes();
  }

 private:
  [[nodiscard]] Action receive_chunk(const Chunk& chunk);
  [[nodiscard]] std::optional<Error> check_header(const Chunk& chunk) const;
  [[nodiscard]] Action store(const Chunk& chunk);
  // Bytes of the file if `missing` chunks follow the first `bytes`, each with `chunk_size`.
  [[nodiscard]] std::uint64_t likely_size(std::uint64_t bytes, std::uint64_t missing,
                                          std::uint32_t chunk_size) const;

  [[nodiscard]] std::string arrived() const override;
  [[nodiscard]] const char* unit() const override { return "chunk"; }
  void drop_pending() override { pending_.reset(); }
  void limits_changed() override { max_chunks_ = chunk_limit(limits_); }

  std::uint32_t max_chunks_;
  std::unique_ptr<MessageParser> parser_;
  TimeBegins time_begins_;

  ChunkIndex chunks_;
  std::uint32_t largest_chunk_ = 0;
  // What Store has asked to make room for so far.
  std::uint64_t reserved_ = 0;
  // The chunk whose action has not been answered yet.
  std::optional<Chunk> pending_;
};

}  // namespace webrtcupload
