// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the receiving side of an upload is in every wire format: its state, its limits in time and
// how it ends. Which bytes come, and where they lie, is what Receiver (v1) and V2Receiver add.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/chunk_index.h"
#include "core/error.h"
#include "core/time_point.h"
#include "core/upload_actions.h"
#include "core/upload_limits.h"
#include "core/upload_state.h"

namespace webrtcupload {

struct ReceiverStatistics {
  std::uint64_t bytes = 0;
  // Of v1, as are those announced: v2 counts bytes only.
  std::uint32_t chunks = 0;
  std::uint32_t chunks_announced = 0;
  // Messages that brought nothing new.
  std::uint64_t duplicates = 0;
  // Messages that broke a rule.
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
// whatever that says; or, where peers may come and go before, from the first message that is no
// keepalive.
enum class TimeBegins { kWithTheChannel, kWithAChunk };

class UploadLife {
 public:
  virtual ~UploadLife() = default;

  // The channel is open: the time-outs count from here, the lowest rate from the first bytes.
  void opened(TimePoint now);
  // The upload goes on after a pause in which no message was handed in, and under other limits. A
  // question that was open is asked again, with the same message. Times begin anew, but for the one
  // of the whole upload.
  void resume(const Limits& limits, TimePoint now);
  // The peer's messages were kept waiting for so long, by the storage or the application: the
  // minute that its rate is measured over becomes longer by that, and so do its time without new
  // bytes, which may be among them, and its time to come back.
  void kept_waiting(Duration duration);

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
  // All channels of the upload are gone, and it waits for another one.
  [[nodiscard]] bool interrupted() const { return interrupted_at_.has_value(); }

  // Bytes of the file: exact once complete, before that what is known so far. Nothing as long as
  // nothing is.
  [[nodiscard]] virtual std::optional<std::uint64_t> expected_size() const = 0;
  // 0 to 100.
  [[nodiscard]] virtual int percent() const = 0;
  // The stored bytes from `offset` of the file on, as far as they lie in one piece; nothing when
  // the byte at `offset` is not in the contiguous beginning yet.
  [[nodiscard]] virtual std::optional<Extent> locate(std::uint64_t offset) const = 0;
  // Bytes from the file's start up to the first one that is missing.
  [[nodiscard]] virtual std::uint64_t contiguous_bytes() const = 0;

 protected:
  explicit UploadLife(const Limits& limits) : limits_(limits) {}
  UploadLife(UploadLife&&) = default;
  UploadLife& operator=(UploadLife&&) = default;

  [[nodiscard]] bool running() const {
    return state_ == UploadState::kIdle || state_ == UploadState::kUploading;
  }
  void apply(UploadEvent event);
  // A message broke a rule.
  [[nodiscard]] Action reject(Error error);
  // Nobody is there any more whom the time was for: it begins with the next call of opened().
  void closed_again() { statistics_.opened_at.reset(); }
  // Its peer has been let in, and may send the first bytes: the idle time-out begins anew.
  void begun(TimePoint now);
  // `bytes` new ones are stored.
  void progressed(std::uint64_t bytes, TimePoint now);
  // The last bytes are there.
  void completed(TimePoint now);
  // From here on neither the time without new bytes nor the rate counts, but `resume_timeout` does.
  // It bounds all interruptions together, until new bytes come at the lowest rate.
  void interrupt(TimePoint now);
  void end_interruption(TimePoint now);

  // Finds which time-out has passed, if any, and whether the peer is too slow.
  [[nodiscard]] Action check_times(TimePoint now);
  // When check_times() is next of use.
  [[nodiscard]] std::optional<TimePoint> next_time() const;

  // What a message above kMaxMessageSize is: perhaps a piece of a longer one.
  [[nodiscard]] static Error oversized_message(std::size_t size, std::uint32_t max_payload);

  // How far the upload has come, for a person.
  [[nodiscard]] virtual std::string arrived() const = 0;
  // What comes in messages here: "chunk", "byte".
  [[nodiscard]] virtual const char* unit() const = 0;
  // The message whose action has not been answered is not to go on.
  virtual void drop_pending() = 0;
  // The limits are others.
  virtual void limits_changed() {}
  // The upload has failed with `error`.
  virtual void failed(const Error& error) { static_cast<void>(error); }

  Limits limits_;
  ReceiverStatistics statistics_;

 private:
  [[nodiscard]] Action end_with(Error error, UploadEvent event);
  // When the interruption has lasted too long.
  [[nodiscard]] std::optional<TimePoint> interruption_due() const;
  // How much of `away_for_` new bytes make up for.
  [[nodiscard]] Duration given_back(std::uint64_t bytes) const;
  // When the minute that runs is over.
  [[nodiscard]] std::optional<TimePoint> rate_due() const;
  [[nodiscard]] std::uint64_t least_bytes() const;

  UploadState state_ = UploadState::kIdle;
  std::optional<Error> error_;
  // The last moment at which something new came: what the idle time-out counts from.
  TimePoint progressed_at_{};
  // The minute that `min_rate` is measured over just now: its begin, and what was there by then.
  TimePoint minute_begins_{};
  std::uint64_t bytes_before_ = 0;
  std::optional<TimePoint> interrupted_at_;
  // How much of `resume_timeout` earlier interruptions have used up.
  Duration away_for_{};
};

// "30 s", "0.5 s".
[[nodiscard]] std::string seconds_text(Duration duration);

// `since` + `limit`, or nothing when there is no limit or the sum is beyond time. A limit below
// zero is what became of an unsigned "for ever".
[[nodiscard]] std::optional<TimePoint> expiry(TimePoint since, Duration limit);

// The earlier one of those that there are.
[[nodiscard]] inline std::optional<TimePoint> earlier(std::optional<TimePoint> one,
                                                      std::optional<TimePoint> other) {
  if (!one || !other) return one ? one : other;
  return *one < *other ? one : other;
}

}  // namespace webrtcupload
