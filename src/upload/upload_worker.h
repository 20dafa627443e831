// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The thread of one upload's worker, and what lets an element stop although the application's
// handler, which the worker has called, does not return.

#pragma once

#include <functional>
#include <thread>

#include "glib/glib_ptr.h"
#include "upload/shared_upload.h"

namespace webrtcupload {

class UploadWorker {
 public:
  // `hold` gives a reference on what the worker calls; called under the upload's mutex.
  UploadWorker(SharedUpload& upload, std::function<GObjectPtr<GObject>()> hold);

  // Of the thread that starts and stops.

  // `run` has to keep the upload: it may outlast join().
  void start(std::function<void()> run) EXCLUDES(upload_.mutex);
  // Waits for the end of `run`, but not long for what it calls out to (which may be waiting for
  // this very thread, or be what calls this): the worker is then left behind. False: it is.
  bool join() EXCLUDES(upload_.mutex);
  [[nodiscard]] bool is_this_thread() const {
    return thread_.get_id() == std::this_thread::get_id();
  }

  // Of the worker.

  // Runs `work` so that join() need not wait for it, and `before` just before, under the upload's
  // mutex. False: stop() has begun, and it did nothing.
  bool call_out(const std::function<void()>& work, const std::function<void()>& before = nullptr)
      EXCLUDES(upload_.mutex);
  // The same as a last word, when stop() has begun. False: the worker has been left behind.
  bool call_out_at_the_end(const std::function<void()>& work,
                           const std::function<void()>& before = nullptr) EXCLUDES(upload_.mutex);

 private:
  bool run_detachable(bool is_last_word, const std::function<void()>& work,
                      const std::function<void()>& before) EXCLUDES(upload_.mutex);

  SharedUpload& upload_;
  const std::function<GObjectPtr<GObject>()> hold_;
  std::thread thread_;
  bool detachable_ GUARDED_BY(upload_.mutex) = false;
  bool left_behind_ GUARDED_BY(upload_.mutex) = false;
  bool ended_ GUARDED_BY(upload_.mutex) = false;
};

}  // namespace webrtcupload
