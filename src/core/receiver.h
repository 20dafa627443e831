// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The receiving side of one upload: every rule about what a peer may send, and nothing that acts.
// The caller hands in messages and the time, carries out the one action that comes back, and says
// how it went:
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
#include <variant>

#include "core/chunk_index.h"
#include "core/error.h"
#include "core/message.h"
#include "core/time_point.h"
#include "core/upload_limits.h"
#include "core/upload_state.h"

namespace webrtcupload {

// What is known about an upload when its first chunk has arrived and nothing is stored yet.
struct UploadRequest {
  std::uint32_t total_chunks = 0;
  std::uint32_t first_chunk_size = 0;
  // What the usual clients' equal chunks come to; an upload whose first chunk is its smallest can
  // be larger.
  std::uint64_t estimated_size = 0;
};

namespace action {
struct Nothing {};
// Send the message back as it came.
struct Reply {
  Message message;
};
// Ask whether `request` may begin.
struct Authorize {
  UploadRequest request;
};
// Write `bytes` at `position`. When `reserve` is not 0, first make room for that many bytes of the
// file. `expected` is not 0 with the first chunk: the file is likely to have that many bytes, so do
// not begin if there is no room for them. Nothing is set aside for those.
struct Store {
  std::uint64_t position = 0;
  ByteView bytes;
  std::uint64_t reserve = 0;
  std::uint64_t expected = 0;
};
// Say whether the stored range holds exactly `bytes` (which is as long).
struct Compare {
  Extent stored;
  ByteView bytes;
};
// The upload has just failed. Given out once.
struct Fail {
  Error error;
};
}  // namespace action

using Action = std::variant<action::Nothing, action::Reply, action::Authorize, action::Store,
                            action::Compare, action::Fail>;

struct ReceiverStatistics {
  std::uint64_t bytes = 0;
  std::uint32_t chunks = 0;
  std::uint32_t chunks_announced = 0;
  std::uint64_t duplicates = 0;
  // Messages that broke a rule. The first one ends the upload.
  std::uint64_t rejected = 0;
  // Messages after the end of the upload, good or bad.
  std::uint64_t ignored = 0;
  std::uint64_t keepalives = 0;
  std::optional<TimePoint> opened_at;
  std::optional<TimePoint> first_chunk_at;
  // Of the last chunk, when all are there.
  std::optional<TimePoint> completed_at;
};

// From when on an upload may take its time: from the opening of its channel or the first message,
// whatever that says, or from the first message that is no keepalive.
enum class TimeBegins { kWithTheChannel, kWithAChunk };

class Receiver {
 public:
  Receiver(const Limits& limits, std::unique_ptr<MessageParser> parser,
           TimeBegins time_begins = TimeBegins::kWithTheChannel);

  // The channel is open: the time-outs count from here, the lowest rate from the first chunk.
  void opened(TimePoint now);
  // The upload goes on after a pause in which no message was handed in, and under other limits. A
  // question that was open is asked again, with the same message. Times begin anew, but for the one
  // of the whole upload.
  void resume(const Limits& limits, TimePoint now);
  // The peer's messages were kept waiting for so long, by the storage or the application: the
  // minute that its rate is measured over becomes longer by that, and so does its time without a
  // new chunk, which may be among them.
  void kept_waiting(Duration duration);

  [[nodiscard]] Action receive(const Message& message, TimePoint now);

  // Answers to the action just given out.
  [[nodiscard]] Action authorized(bool allowed);
  void stored(TimePoint now);
  [[nodiscard]] Action compared(bool equal);

  // To be called at or after deadline(); finds which time-out has passed, if any, and whether the
  // peer is too slow.
  [[nodiscard]] Action tick(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // The upload fails for a reason found elsewhere (storage, quota, peer gone, cancelled). Nothing
  // when it has already ended; `peer-gone` fails only an upload that is not complete.
  [[nodiscard]] Action fail(Error error);

  // The same for a file that is no good, which whoever reads it finds out, perhaps after its last
  // byte: an upload that is done can still be refused.
  [[nodiscard]] Action refuse(Error error);

  // COMPLETE -> PROCESSING, true for exactly one caller.
  [[nodiscard]] bool begin_processing();
  // PROCESSING -> DONE.
  void finish_processing();

  [[nodiscard]] UploadState state() const { return state_; }
  // True when all bytes are there (and the upload has not failed since).
  [[nodiscard]] bool complete() const;
  // Why the state is ERROR.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const ReceiverStatistics& statistics() const { return statistics_; }
  [[nodiscard]] const ChunkIndex& chunks() const { return chunks_; }
  // Bytes of the file: exact once complete, before that what the chunks seen so far let expect.
  // Nothing before the first.
  [[nodiscard]] std::optional<std::uint64_t> expected_size() const;
  // 0 to 100, by chunks.
  [[nodiscard]] int percent() const;

 private:
  [[nodiscard]] Action receive_chunk(const Chunk& chunk);
  [[nodiscard]] std::optional<Error> check_header(const Chunk& chunk) const;
  [[nodiscard]] Action reject(Error error);
  [[nodiscard]] Action end_with(Error error, UploadEvent event);
  [[nodiscard]] Action store(const Chunk& chunk);
  // Bytes of the file if `missing` chunks follow the first `bytes`, each with `chunk_size`.
  [[nodiscard]] std::uint64_t likely_size(std::uint64_t bytes, std::uint64_t missing,
                                          std::uint32_t chunk_size) const;
  void apply(UploadEvent event);
  // When the minute that runs is over.
  [[nodiscard]] std::optional<TimePoint> rate_due() const;
  [[nodiscard]] std::uint64_t least_bytes() const;
  // How far the upload has come, for a person.
  [[nodiscard]] std::string arrived() const;

  Limits limits_;
  std::uint32_t max_chunks_;
  std::unique_ptr<MessageParser> parser_;
  TimeBegins time_begins_;

  UploadState state_ = UploadState::kIdle;
  std::optional<Error> error_;
  ChunkIndex chunks_;
  ReceiverStatistics statistics_;
  std::uint32_t largest_chunk_ = 0;
  // What Store has asked to make room for so far.
  std::uint64_t reserved_ = 0;
  // The last moment at which something new came: what the idle time-out counts from.
  TimePoint progressed_at_{};
  // The minute that `min_rate` is measured over just now: its begin, and what was there by then.
  TimePoint minute_begins_{};
  std::uint64_t bytes_before_ = 0;
  // The chunk whose action has not been answered yet.
  std::optional<Chunk> pending_;
};

}  // namespace webrtcupload
