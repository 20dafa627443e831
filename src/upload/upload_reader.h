// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload as whoever reads it sees it: bytes that are there, or have to be waited for.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "core/error.h"
#include "core/film_limits.h"
#include "core/read_coverage.h"
#include "core/time_point.h"
#include "upload/shared_upload.h"

namespace webrtcupload {

// Every method may be called on any thread, and none of webrtcbin's.
class UploadReader {
 public:
  enum class Readable { kYes, kEndOfFile, kFlushing };
  struct Availability {
    Readable status;
    // From the offset asked for, in bytes, when status is kYes.
    std::uint64_t bytes = 0;
  };
  // When the first byte was waited for after completion, and when the last one had been read.
  struct Times {
    std::optional<TimePoint> began_at;
    std::optional<TimePoint> ended_at;
  };

  // With `progressive` bytes can be read as soon as they and all before them are there, rather than
  // when all are. `tell_state` tells the observer of the upload's state; called on the worker only.
  UploadReader(SharedUpload& upload, bool progressive, std::function<void()> tell_state);

  // Waits until at least one byte at `offset` can be read, or there never will be one, and until
  // the observer has been told of the state in which that is so. The first call after completion
  // starts the processing.
  [[nodiscard]] Availability wait_for(std::uint64_t offset);
  // Fills `out` from a range that wait_for() found there. Nothing on success. A failure of the
  // storage also fails the upload, soon, unless that is done.
  [[nodiscard]] std::optional<Error> read(std::uint64_t offset, std::span<std::uint8_t> out);
  // The same for one who only looks: it does not count as reading.
  [[nodiscard]] std::optional<Error> look(std::uint64_t offset, std::span<std::uint8_t> out) const;
  // What is wrong with the film, if it is one that asks for more than it may.
  [[nodiscard]] std::optional<Error> check_film(const FilmLimits& limits) const;
  // A read met the end of the file. Whether that is the end of reading is known only by the reader,
  // who does not say, and demuxers look there first: it is taken for one when every byte has been
  // read.
  void end_of_file_met();
  // EOS is about to go out: all was read that will be. Waits until the observer has been told.
  void reading_ended();
  // While set, nobody waits in wait_for().
  void set_flushing(bool flushing);

  // Waits for completion. Nothing when it is not going to come: flushing, or failed.
  [[nodiscard]] std::optional<std::uint64_t> wait_for_size();
  // What is known of the size without waiting: exact once complete; before that nothing, or with
  // `progressive` an estimate.
  [[nodiscard]] std::optional<std::uint64_t> size() const;

  // Under the upload's mutex.
  [[nodiscard]] bool was_read(const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return was_read_;
  }
  [[nodiscard]] Times times(const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return times_;
  }

 private:
  // On a thread that reads, and could not be stopped by what the observer calls: waits until the
  // worker has told the state, or nobody is to wait.
  void wait_until_told() EXCLUDES(upload_.mutex);
  void begin_processing() REQUIRES(upload_.mutex);

  SharedUpload& upload_;
  const bool progressive_;
  const std::function<void()> tell_state_;
  ReadCoverage read_ GUARDED_BY(upload_.mutex);
  bool was_read_ GUARDED_BY(upload_.mutex) = false;
  Times times_ GUARDED_BY(upload_.mutex);
};

}  // namespace webrtcupload
