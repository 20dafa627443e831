// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The thread on which an element tells its application things: handlers of its signals, and
// synchronous handlers of its messages, run there and nowhere else. So a handler holds up nothing
// of the element's own, and may stop the element.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "core/mutex.h"

namespace webrtcupload {

class Announcer {
 public:
  // The thread keeps it. finish() has to be called once.
  static std::shared_ptr<Announcer> start();
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  // `what` runs soon, after all that was told before. It has to hold a reference on the element.
  // Any thread; returns at once.
  void tell(std::function<void()> what) EXCLUDES(mutex_);

  // Returns when all of it has been told, but does not wait long for a handler, which may be
  // waiting for this very thread, and not at all for one that is what calls this. The thread then
  // is left behind: when the handler returns it tells what is left, and ends.
  void finish() EXCLUDES(mutex_);

 private:
  Announcer() = default;
  void run() EXCLUDES(mutex_);

  std::thread thread_;  // Of the thread that starts and finishes.

  // Protects what follows. A leaf, never held while something is told.
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  unsigned begun_ GUARDED_BY(mutex_) = 0;  // How many have been taken out of the queue.
  bool telling_ GUARDED_BY(mutex_) = false;
  bool finishing_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
