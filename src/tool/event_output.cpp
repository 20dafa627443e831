// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/event_output.h"

#include <cerrno>
#include <chrono>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace webrtcupload {
namespace {

constexpr std::chrono::milliseconds kFlushTime{500};

}  // namespace

EventOutput::EventOutput(int fd, Marks marks) : fd_(fd), marks_(marks) {
  thread_ = std::thread([this] { run(); });
}

EventOutput::~EventOutput() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kFlushTime, [this] { return broken_ || waiting_ == 0; });
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EventOutput::write(const std::string& line) {
  const std::lock_guard lock(mutex_);
  append(line);
}

void EventOutput::write_patiently(const std::string& line) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !congested_ || broken_ || stopping_ || impatient_; });
  append(line);
}

void EventOutput::end_patience() {
  {
    const std::lock_guard lock(mutex_);
    impatient_ = true;
  }
  changed_.notify_all();
}

void EventOutput::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return broken_ || waiting_ == 0; });
}

bool EventOutput::congested() const {
  const std::lock_guard lock(mutex_);
  return congested_;
}

void EventOutput::append(const std::string& line) {
  if (broken_ || stopping_) return;
  lines_.push_back(line + "\n");
  waiting_ += line.size() + 1;
  if (waiting_ > marks_.high) congested_ = true;
  changed_.notify_all();
}

void EventOutput::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
    if (stopping_) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    std::size_t written = 0;
    bool broken = false;
    while (written < line.size() && !broken) {
      // Not to be stuck in write() when it is time to stop.
      pollfd poll_fd{fd_, POLLOUT, 0};
      if (poll(&poll_fd, 1, 100) == 0) {
        lock.lock();
        const bool stop = stopping_;
        lock.unlock();
        if (stop) return;
        continue;
      }
      // At most what a writable pipe takes for certain.
      const std::size_t size = std::min<std::size_t>(line.size() - written, 4096);
      const ssize_t n = ::write(fd_, line.data() + written, size);
      if (n > 0) {
        written += static_cast<std::size_t>(n);
      } else if (errno != EINTR && errno != EAGAIN) {
        broken = true;
      }
    }
    lock.lock();
    bool relief = false;
    waiting_ -= line.size();
    if (broken) {
      broken_ = true;
      lines_.clear();
      waiting_ = 0;
    }
    if (congested_ && waiting_ <= marks_.low) {
      congested_ = false;
      relief = true;
    }
    changed_.notify_all();
    if (relief && on_relief_) {
      lock.unlock();
      on_relief_();
      lock.lock();
    }
  }
}

}  // namespace webrtcupload
