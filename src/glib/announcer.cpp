// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/announcer.h"

#include <chrono>
#include <utility>

namespace webrtcupload {
namespace {

// How long finish() waits for one handler of the application's.
constexpr std::chrono::milliseconds kHandlerGrace(200);

}  // namespace

std::shared_ptr<Announcer> Announcer::start() {
  std::shared_ptr<Announcer> self(new Announcer());
  self->thread_ = std::thread([self] { self->run(); });
  return self;
}

void Announcer::tell(std::function<void()> what) {
  {
    const MutexLock lock(mutex_);
    queue_.push_back(std::move(what));
  }
  changed_.notify_all();
}

void Announcer::run() {
  MutexLock lock(mutex_);
  while (true) {
    changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return !queue_.empty() || finishing_; });
    if (queue_.empty()) break;
    std::function<void()> what = std::move(queue_.front());
    queue_.pop_front();
    ++begun_;
    telling_ = true;
    lock.unlock();
    changed_.notify_all();
    what();
    // Here: it may hold the last reference on the element.
    what = nullptr;
    lock.lock();
    telling_ = false;
  }
  ended_ = true;
  changed_.notify_all();
}

void Announcer::finish() {
  {
    const MutexLock lock(mutex_);
    finishing_ = true;
  }
  changed_.notify_all();
  bool ended = false;
  if (thread_.get_id() != std::this_thread::get_id()) {
    MutexLock lock(mutex_);
    while (!ended_) {
      const unsigned begun = begun_;
      const bool telling = telling_;
      const bool went_on = changed_.wait_for(
          mutex_, kHandlerGrace, [&]() REQUIRES(mutex_) { return ended_ || begun_ != begun; });
      // Otherwise it is the processor that the thread waits for, or it has just been told to end.
      if (!went_on && telling && telling_) break;
    }
    ended = ended_;
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

}  // namespace webrtcupload
