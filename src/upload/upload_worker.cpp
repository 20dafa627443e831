// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_worker.h"

#include <pthread.h>
#include <signal.h>
#include <utility>

namespace webrtcupload {
namespace {

// How long join() waits for an application's handler before it leaves it behind.
constexpr std::chrono::milliseconds kHandlerGrace(200);

// Writing past RLIMIT_FSIZE has to end in EFBIG for one upload and not in the death of the process.
void block_file_size_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

UploadWorker::UploadWorker(SharedUpload& upload, std::function<GObjectPtr<GObject>()> hold)
    : upload_(upload), hold_(std::move(hold)) {}

void UploadWorker::start(std::function<void()> run) {
  thread_ = std::thread([this, run = std::move(run)] {
    block_file_size_signal();
    {
      const MutexLock lock(upload_.mutex);
      upload_.worker = std::this_thread::get_id();
    }
    run();
    {
      const MutexLock lock(upload_.mutex);
      ended_ = true;
    }
    upload_.changed.notify_all();
  });
}

bool UploadWorker::join() {
  if (!thread_.joinable()) return false;
  if (is_this_thread()) {
    const MutexLock lock(upload_.mutex);
    left_behind_ = true;
    thread_.detach();
    return false;
  }
  bool ended;
  {
    MutexLock lock(upload_.mutex);
    ended = upload_.changed.wait_for(upload_.mutex, kHandlerGrace,
                                     [this]() REQUIRES(upload_.mutex) { return ended_; });
    if (!ended) {
      upload_.changed.wait(upload_.mutex,
                           [this]() REQUIRES(upload_.mutex) { return ended_ || detachable_; });
      ended = ended_;
    }
    left_behind_ = !ended;
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return ended;
}

bool UploadWorker::call_out(const std::function<void()>& work,
                            const std::function<void()>& before) {
  return run_detachable(false, work, before);
}

bool UploadWorker::call_out_at_the_end(const std::function<void()>& work,
                                       const std::function<void()>& before) {
  return run_detachable(true, work, before);
}

bool UploadWorker::run_detachable(bool is_last_word, const std::function<void()>& work,
                                  const std::function<void()>& before) {
  GObjectPtr<GObject> held;
  // What is called may bring the worker here once more.
  bool outer;
  {
    const MutexLock lock(upload_.mutex);
    if (is_last_word ? left_behind_ : upload_.stopping) return false;
    outer = std::exchange(detachable_, true);
    // Before stop() can return, and with it the element go.
    held = hold_();
    if (before) before();
  }
  // join() may have begun to wait before.
  upload_.changed.notify_all();
  const TimePoint begin = now();
  work();
  const MutexLock lock(upload_.mutex);
  detachable_ = outer;
  if (!outer) upload_.receiver->kept_waiting(now() - begin);
  return true;
}

}  // namespace webrtcupload
