// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the threads of one upload share: the worker that stores it, whoever reads it, and
// webrtcbin's thread, which brings it.

#pragma once

#include <cassert>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/mutex.h"
#include "core/storage.h"
#include "core/time_point.h"
#include "core/upload_life.h"
#include "upload/inbox.h"

namespace webrtcupload {

// What the receiver is told the time by.
inline TimePoint now() { return std::chrono::steady_clock::now().time_since_epoch(); }

struct SharedUpload {
  // A failure found on another thread than the worker, which carries it out soon.
  void request_failure(Error error) EXCLUDES(mutex) {
    {
      const MutexLock lock(mutex);
      if (!requested_failure) requested_failure = std::move(error);
    }
    inbox->wake();
  }

  // All bytes are here, and the application knows.
  [[nodiscard]] bool finished() const REQUIRES(mutex) {
    return receiver->complete() && completion_told;
  }

  // For a part of the upload: this is the upload whose mutex the caller holds by another name.
  void assert_same_mutex(const SharedUpload& held [[maybe_unused]]) const REQUIRES(held.mutex)
      ASSERT_CAPABILITY(mutex) {
    assert(&held == this);
  }

  // Of the element, for the log: an upload's last lines may come when the element has gone.
  std::string name;

  // This and the receiver are here until they are given back.
  std::unique_ptr<Storage> storage;
  std::shared_ptr<Inbox> inbox;

  // Protects what follows. Never held while calling out, writing or reading the storage; inbox and
  // pad locks are not taken under it.
  mutable Mutex mutex;
  ConditionVariable changed;
  std::unique_ptr<UploadLife> receiver GUARDED_BY(mutex) PT_GUARDED_BY(mutex);
  // What the observer has been told last, and the thread that tells it.
  UploadState told_state GUARDED_BY(mutex) = UploadState::kIdle;
  std::thread::id worker GUARDED_BY(mutex);
  std::optional<Error> requested_failure GUARDED_BY(mutex);
  // The application knows that the upload is complete; only then are its last bytes given out.
  bool completion_told GUARDED_BY(mutex) = false;
  // Nobody waits for bytes.
  bool flushing GUARDED_BY(mutex) = false;
  bool stopping GUARDED_BY(mutex) = false;
};

}  // namespace webrtcupload
