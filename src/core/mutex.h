// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A mutex, its lock and a condition variable, those of the standard library, with what clang needs
// to check at compile time that what a mutex protects is used with the mutex held only. The
// attributes have the names that clang's documentation gives them, and are nothing to others.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#ifdef __clang__
#define WEBRTCUPLOAD_THREADS(attribute) __attribute__((attribute))
#else
#define WEBRTCUPLOAD_THREADS(attribute)
#endif

// Of classes.
#define CAPABILITY(name) WEBRTCUPLOAD_THREADS(capability(name))
#define SCOPED_CAPABILITY WEBRTCUPLOAD_THREADS(scoped_lockable)
// Of members: the mutex that protects it, or what it points to; the mutexes that come after it.
#define GUARDED_BY(mutex) WEBRTCUPLOAD_THREADS(guarded_by(mutex))
#define PT_GUARDED_BY(mutex) WEBRTCUPLOAD_THREADS(pt_guarded_by(mutex))
#define ACQUIRED_BEFORE(...) WEBRTCUPLOAD_THREADS(acquired_before(__VA_ARGS__))
// Of functions: the mutexes that whoever calls it has to hold, or must not hold.
#define REQUIRES(...) WEBRTCUPLOAD_THREADS(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) WEBRTCUPLOAD_THREADS(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) WEBRTCUPLOAD_THREADS(acquire_capability(__VA_ARGS__))
#define RELEASE(...) WEBRTCUPLOAD_THREADS(release_capability(__VA_ARGS__))
// Of a function that knows that a mutex is held.
#define ASSERT_CAPABILITY(mutex) WEBRTCUPLOAD_THREADS(assert_capability(mutex))

namespace webrtcupload {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class ConditionVariable;
  std::mutex mutex_;
};

// Holds a mutex from here to the end of the block, but between unlock() and lock().
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex) {}
  ~MutexLock() RELEASE() = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RELEASE() { lock_.unlock(); }
  void lock() ACQUIRE() { lock_.lock(); }

 private:
  std::unique_lock<Mutex> lock_;
};

// Gives a mutex up that the caller of a function holds, to the end of the block.
class SCOPED_CAPABILITY MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) RELEASE(mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~MutexUnlock() RELEASE() { mutex_.lock(); }
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a mutex that the caller holds. A condition that is a lambda says that it needs the
// mutex: `changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return ended_; })`.
class ConditionVariable {
 public:
  ConditionVariable() = default;
  ConditionVariable(const ConditionVariable&) = delete;
  ConditionVariable& operator=(const ConditionVariable&) = delete;

  void notify_one() noexcept { changed_.notify_one(); }
  void notify_all() noexcept { changed_.notify_all(); }

  // Without a condition: also for no reason.
  void wait(Mutex& mutex) REQUIRES(mutex) {
    const Held held(mutex);
    changed_.wait(held.lock);
  }
  template <typename Condition>
  void wait(Mutex& mutex, Condition holds) REQUIRES(mutex) {
    const Held held(mutex);
    changed_.wait(held.lock, holds);
  }
  template <typename Clock, typename Length>
  void wait_until(Mutex& mutex, std::chrono::time_point<Clock, Length> until) REQUIRES(mutex) {
    const Held held(mutex);
    changed_.wait_until(held.lock, until);
  }
  // Whether the condition holds.
  template <typename Clock, typename Length, typename Condition>
  bool wait_until(Mutex& mutex, std::chrono::time_point<Clock, Length> until, Condition holds)
      REQUIRES(mutex) {
    const Held held(mutex);
    return changed_.wait_until(held.lock, until, holds);
  }
  template <typename Number, typename Unit, typename Condition>
  bool wait_for(Mutex& mutex, std::chrono::duration<Number, Unit> time, Condition holds)
      REQUIRES(mutex) {
    const Held held(mutex);
    return changed_.wait_for(held.lock, time, holds);
  }

 private:
  // What the standard library's condition variable wants of a mutex that is locked already, and
  // stays so.
  struct Held {
    explicit Held(Mutex& mutex) : lock(mutex.mutex_, std::adopt_lock) {}
    ~Held() { lock.release(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    mutable std::unique_lock<std::mutex> lock;
  };

  std::condition_variable changed_;
};

}  // namespace webrtcupload
