// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/common/event_output.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace webrtcupload {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{100};
// At the end: for a reader that takes nothing, and for one that takes little.
constexpr std::chrono::milliseconds kPatience{500};
constexpr std::chrono::milliseconds kFlushTime{5000};

}  // namespace

EventOutput::EventOutput(int fd, Marks marks) : fd_(fd), marks_(marks) {
  thread_ = std::thread([this] { run(); });
}

EventOutput::~EventOutput() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EventOutput::write(const std::string& line) {
  const MutexLock lock(mutex_);
  append(line);
}

void EventOutput::write_patiently(const std::string& line) {
  MutexLock lock(mutex_);
  changed_.wait(mutex_, [this]() REQUIRES(mutex_) {
    return !congested_ || broken_ || stopping_ || impatient_;
  });
  append(line);
}

void EventOutput::end_patience() {
  {
    const MutexLock lock(mutex_);
    impatient_ = true;
  }
  changed_.notify_all();
}

void EventOutput::flush() {
  MutexLock lock(mutex_);
  changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return broken_ || waiting_ == 0; });
}

bool EventOutput::congested() const {
  const MutexLock lock(mutex_);
  return congested_;
}

void EventOutput::append(const std::string& line) {
  if (broken_ || stopping_) return;
  lines_.push_back(line + "\n");
  waiting_ += line.size() + 1;
  if (waiting_ > marks_.high) congested_ = true;
  changed_.notify_all();
}

bool EventOutput::is_stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

EventOutput::Fate EventOutput::write_out(const std::string& line) {
  std::size_t written = 0;
  while (written < line.size()) {
    // Not to be stuck in write() when it is time to stop. Counted is what the reader is waited for,
    // and not the time that passes: this thread may be the one that is slow.
    pollfd poll_fd{fd_, POLLOUT, 0};
    const Clock::time_point begin = Clock::now();
    const bool ready = poll(&poll_fd, 1, static_cast<int>(kLook.count())) > 0;
    if (is_stopping()) {
      idle_looks_ = ready ? 0 : idle_looks_ + 1;
      waited_ += Clock::now() - begin;
      if (idle_looks_ * kLook >= kPatience || waited_ >= kFlushTime) return Fate::kGivenUp;
    }
    if (!ready) continue;
    // At most what a writable pipe takes for certain.
    const std::size_t size = std::min<std::size_t>(line.size() - written, 4096);
    const ssize_t n = ::write(fd_, line.data() + written, size);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno != EINTR && errno != EAGAIN) {
      return Fate::kBroken;
    }
  }
  return Fate::kWritten;
}

void EventOutput::run() {
  MutexLock lock(mutex_);
  while (true) {
    changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return stopping_ || !lines_.empty(); });
    if (lines_.empty()) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    const Fate fate = write_out(line);
    if (fate == Fate::kGivenUp) return;
    lock.lock();
    bool relief = false;
    waiting_ -= line.size();
    if (fate == Fate::kBroken) {
      broken_ = true;
      lines_.clear();
      waiting_ = 0;
    }
    if (congested_ && waiting_ <= marks_.low) {
      congested_ = false;
      relief = true;
    }
    changed_.notify_all();
    if (relief && on_relief_ && !stopping_) {
      lock.unlock();
      on_relief_();
      lock.lock();
    }
  }
}

}  // namespace webrtcupload
