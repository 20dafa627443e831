// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the observer is told: the state, how the upload gets on, and its end.

#include <optional>
#include <utility>

#include "glib/debug.h"
#include "upload/upload_session.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

void UploadSession::tell_refusal() {
  std::optional<Error> refusal;
  {
    const MutexLock lock(shared_.mutex);
    refusal = std::exchange(refusal_, std::nullopt);
  }
  if (!refusal) return;
  GST_INFO_ID(shared_.name.c_str(), "refused: %s: %s", to_string(refusal->code).data(),
              refusal->message.c_str());
  // The error is on the bus already.
  put_out();
  connection_.close_all();
  tell_state();
  tell_end(*refusal);
}

void UploadSession::report_progress() {
  tell_state();
  bool begins;
  bool is_complete;
  bool is_underway;
  int percent;
  {
    const MutexLock lock(shared_.mutex);
    const UploadLife& receiver = *shared_.receiver;
    begins = receiver.statistics().first_chunk_at && !progress_.has_begun();
    is_complete = receiver.complete();
    is_underway = receiver.state() == UploadState::kUploading;
    percent = receiver.percent();
  }
  if (begins && !tell_progress(ProgressEvent::kFirstChunk)) return;
  if (is_complete) {
    tell_completion();
  } else if (is_underway && throttle_.due(percent, now())) {
    tell_progress(ProgressEvent::kMoreChunks);
  }
}

bool UploadSession::tell_progress(ProgressEvent event, const std::optional<Error>& error,
                                  bool is_last_word) {
  std::optional<UploadProgress> told;
  const auto advance = [&]() REQUIRES(shared_.mutex) {
    told.reset();
    const auto message = progress_.next(event);
    if (!message) return;
    told = {.message = *message,
            .percent = shared_.receiver->percent(),
            .statistics = shared_.receiver->statistics(),
            .error = error};
  };
  const auto tell = [&] {
    if (told) observer_->progressed(*told);
  };
  do {
    const bool ran =
        is_last_word ? worker_.call_out_at_the_end(tell, advance) : worker_.call_out(tell, advance);
    if (!ran) return false;
  } while (told && told->message == ProgressMessage::kStart);
  return true;
}

void UploadSession::tell_end(const Error& error) {
  const bool cancelled = error.code == ErrorCode::kCancelled;
  tell_progress(cancelled ? ProgressEvent::kCancel : ProgressEvent::kFailure, error);
  worker_.call_out([&] { observer_->failing(error); });
}

void UploadSession::tell_stop() {
  {
    const MutexLock lock(shared_.mutex);
    if (!tells_stop_ || !progress_.is_underway()) return;
  }
  tell_progress(ProgressEvent::kStop, std::nullopt, true);
}

ProgressSequence UploadSession::progress() const {
  const MutexLock lock(shared_.mutex);
  return progress_;
}

void UploadSession::tell_completion() {
  {
    const MutexLock lock(shared_.mutex);
    if (shared_.completion_told || !shared_.receiver->complete()) return;
  }
  // Before anybody can read it, unless bytes go out as they come.
  if (auto error = reader_.check_film(settings_.film)) {
    perform(fail(std::move(*error)));
    return;
  }
  if (!tell_progress(ProgressEvent::kComplete)) return;
  if (!worker_.call_out([this] { observer_->completed(); })) return;
  {
    const MutexLock lock(shared_.mutex);
    shared_.completion_told = true;
  }
  shared_.changed.notify_all();
}

void UploadSession::tell_state() {
  UploadState current;
  {
    const MutexLock lock(shared_.mutex);
    current = shared_.receiver->state();
    if (current == shared_.told_state) return;
  }
  GST_INFO_ID(shared_.name.c_str(), "state %s", to_string(current).data());
  worker_.call_out([this] { observer_->state_changed(); });
  {
    const MutexLock lock(shared_.mutex);
    shared_.told_state = current;
  }
  shared_.changed.notify_all();
}

}  // namespace webrtcupload
