#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# That the check of the threads finds each kind of a wrong use of a mutex, in a project of one file.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/build" "$scratch/src" "$scratch/other"
printf '[{"directory": "%s", "command": "c++ -I%s -std=c++20 -Wno-such-warning -c a.cpp", "file": "../src/a.cpp"}]\n' \
  "$scratch/build" "$root/src" >"$scratch/build/compile_commands.json"

cat >"$scratch/class" <<'CLASS'
#include "core/mutex.h"
using namespace webrtcupload;
class Counter {
 public:
  void count();
  void begin();

 private:
  void locked() REQUIRES(mutex_);
  void unlocked() EXCLUDES(mutex_);
  [[maybe_unused]] Mutex first_ ACQUIRED_BEFORE(mutex_);
  Mutex mutex_;
  ConditionVariable changed_;
  int count_ GUARDED_BY(mutex_) = 0;
};
CLASS

number=0
# expect WHAT TEXT FOLDER: clang says TEXT of the class with the functions on standard input; "" for nothing, and success.
expect() {
  number=$((number + 1))
  cat "$scratch/class" - >"$scratch/src/a.cpp"
  status=0
  said=$(python3 tests/support/check_threads.py "$scratch/build" "$scratch/$3" 2>&1) || status=$?
  if [ -z "$2" ]; then
    [ "$status" -eq 0 ] && result=ok || result='not ok'
  else
    case $said in *"$2"*) result=ok ;; *) result='not ok' ;; esac
    [ "$status" -ne 0 ] || result='not ok'
  fi
  echo "$result $number - $1"
  printf '%s\n' "$said" | sed 's/^/# /'
}

echo 1..12
expect 'all is well' '' src <<'END'
void Counter::count() {
  MutexLock lock(mutex_);
  changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return count_ > 0; });
  locked();
  lock.unlock();
  unlocked();
  lock.lock();
  ++count_;
}
void Counter::locked() {
  const MutexUnlock unlocked_here(mutex_);
  unlocked();
}
END
expect 'a member without its mutex' "writing variable 'count_' requires holding mutex 'mutex_'" src <<'END'
void Counter::count() { ++count_; }
END
expect 'a function without its mutex' "calling function 'locked' requires holding mutex 'mutex_'" src <<'END'
void Counter::count() { locked(); }
END
expect 'a function that locks again' "cannot call function 'unlocked' while mutex 'mutex_' is held" src <<'END'
void Counter::count() {
  const MutexLock lock(mutex_);
  unlocked();
}
END
expect 'a member after unlock()' "writing variable 'count_' requires holding mutex 'mutex_'" src <<'END'
void Counter::count() {
  MutexLock lock(mutex_);
  lock.unlock();
  ++count_;
}
END
expect 'a member while the mutex is given up' "writing variable 'count_' requires holding mutex 'mutex_'" src <<'END'
void Counter::locked() {
  const MutexUnlock unlocked_here(mutex_);
  ++count_;
}
END
expect 'a wait without the mutex' "requires holding mutex 'mutex_'" src <<'END'
void Counter::count() { changed_.wait(mutex_); }
END
expect 'a condition that does not say what it needs' "reading variable 'count_' requires holding mutex 'mutex_'" src <<'END'
void Counter::count() {
  const MutexLock lock(mutex_);
  changed_.wait(mutex_, [this] { return count_ > 0; });
}
END
expect 'the wrong order' "mutex 'first_' must be acquired before 'mutex_'" src <<'END'
void Counter::count() {
  const MutexLock lock(mutex_);
  const MutexLock late(first_);
}
END
expect 'a mutex that clang knows nothing of' 'a.cpp:16: std::mutex is not checked: use those of src/core/mutex.h' src <<'END'
std::mutex stranger;
END
expect 'what does not compile' 'error: ' src <<'END'
void Counter::begin() { no_such_thing(); }
END
expect 'nothing to check' 'there is nothing to check' other </dev/null
