// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/film_check.h"

namespace webrtcupload {

UploadReader::UploadReader(SharedUpload& upload, bool progressive, std::function<void()> tell_state)
    : upload_(upload), progressive_(progressive), tell_state_(std::move(tell_state)) {}

void UploadReader::wait_until_told() {
  MutexLock lock(upload_.mutex);
  const auto told = [this]() REQUIRES(upload_.mutex) {
    return upload_.flushing || upload_.receiver->error() ||
           upload_.told_state == upload_.receiver->state();
  };
  if (told()) return;
  const bool is_worker = upload_.worker == std::this_thread::get_id();
  lock.unlock();
  // A handler may well push an event itself.
  if (is_worker) return tell_state_();
  upload_.inbox->wake();
  lock.lock();
  upload_.changed.wait(upload_.mutex, told);
}

void UploadReader::begin_processing() {
  if (upload_.receiver->begin_processing()) times_.began_at = now();
}

UploadReader::Availability UploadReader::wait_for(std::uint64_t offset) {
  Availability result{Readable::kFlushing};
  {
    MutexLock lock(upload_.mutex);
    const auto available = [this]() REQUIRES(upload_.mutex) {
      return upload_.finished() || progressive_ ? upload_.receiver->contiguous_bytes() : 0;
    };
    upload_.changed.wait(upload_.mutex, [&]() REQUIRES(upload_.mutex) {
      return upload_.flushing || upload_.receiver->error() || upload_.finished() ||
             offset < available();
    });
    if (!upload_.flushing && !upload_.receiver->error()) {
      if (upload_.finished()) begin_processing();
      result = offset < available() ? Availability{Readable::kYes, available() - offset}
                                    : Availability{Readable::kEndOfFile};
    }
  }
  wait_until_told();
  return result;
}

std::optional<Error> UploadReader::read(std::uint64_t offset, std::span<std::uint8_t> out) {
  {
    const MutexLock lock(upload_.mutex);
    read_.add(offset, out.size());
    was_read_ = true;
  }
  auto error = look(offset, out);
  if (error) upload_.request_failure(*error);
  return error;
}

std::optional<Error> UploadReader::look(std::uint64_t offset, std::span<std::uint8_t> out) const {
  while (!out.empty()) {
    std::optional<Extent> extent;
    {
      const MutexLock lock(upload_.mutex);
      extent = upload_.receiver->locate(offset);
    }
    if (!extent) {
      return Error{ErrorCode::kStorageFailed, "nothing is stored at " + std::to_string(offset)};
    }
    const auto piece = out.first(std::min<std::uint64_t>(out.size(), extent->length));
    if (auto error = upload_.storage->read(extent->position, piece)) return error;
    offset += piece.size();
    out = out.subspan(piece.size());
  }
  return std::nullopt;
}

std::optional<Error> UploadReader::check_film(const FilmLimits& limits) const {
  std::uint64_t size;
  {
    const MutexLock lock(upload_.mutex);
    size = upload_.receiver->statistics().bytes;
  }
  FilmReader film(
      [this](std::uint64_t offset, std::span<std::uint8_t> out) {
        {
          const MutexLock lock(upload_.mutex);
          if (upload_.stopping) return false;
        }
        // Whoever needs these bytes will find that out as well.
        return !look(offset, out);
      },
      size);
  return webrtcupload::check_film(film, limits);
}

void UploadReader::end_of_file_met() {
  {
    const MutexLock lock(upload_.mutex);
    if (!read_.covers(upload_.receiver->statistics().bytes)) return;
  }
  reading_ended();
}

void UploadReader::reading_ended() {
  {
    const MutexLock lock(upload_.mutex);
    begin_processing();
    if (upload_.receiver->state() != UploadState::kProcessing) return;
    upload_.receiver->finish_processing();
    times_.ended_at = now();
  }
  wait_until_told();
}

void UploadReader::set_flushing(bool flushing) {
  {
    const MutexLock lock(upload_.mutex);
    upload_.flushing = flushing || upload_.stopping;
  }
  upload_.changed.notify_all();
}

std::optional<std::uint64_t> UploadReader::wait_for_size() {
  MutexLock lock(upload_.mutex);
  upload_.changed.wait(upload_.mutex, [this]() REQUIRES(upload_.mutex) {
    return upload_.flushing || upload_.receiver->error() || upload_.finished();
  });
  if (upload_.flushing || !upload_.finished()) return std::nullopt;
  return upload_.receiver->statistics().bytes;
}

std::optional<std::uint64_t> UploadReader::size() const {
  const MutexLock lock(upload_.mutex);
  if (upload_.receiver->complete()) return upload_.receiver->statistics().bytes;
  return progressive_ ? upload_.receiver->expected_size() : std::nullopt;
}

}  // namespace webrtcupload
