// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The thread on which an element tells its application things: handlers of its signals, and
// synchronous handlers of its messages, run there and nowhere else. So a handler holds up nothing
// of the element's own, and may stop the element.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace webrtcupload {

class Announcer {
 public:
  // The thread keeps it. finish() has to be called once.
  static std::shared_ptr<Announcer> start();
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  // `what` runs soon, after all that was told before. It has to hold a reference on the element.
  // Any thread; returns at once.
  void tell(std::function<void()> what);

  // Returns when all of it has been told, but does not wait long for a handler, which may be
  // waiting for this very thread, and not at all for one that is what calls this. The thread then
  // is left behind: when the handler returns it tells what is left, and ends.
  void finish();

 private:
  Announcer() = default;
  void run();

  std::thread thread_;  // Of the thread that starts and finishes.

  // Protects what follows. A leaf, never held while something is told.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  unsigned begun_ = 0;  // How many have been taken out of the queue.
  bool telling_ = false;
  bool finishing_ = false;
  bool ended_ = false;
};

}  // namespace webrtcupload
