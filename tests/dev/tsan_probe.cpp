// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two threads that do the same, once: what tsan_test.sh has the thread sanitizer look at.
//
//   tsan-probe WHAT

#include <gst/gst.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "core/mutex.h"

namespace {

using webrtcupload::Mutex;
using webrtcupload::MutexLock;

GMutex glib_mutex;
Mutex first;
Mutex second;
int counter = 0;

// Waits for the other thread without telling the sanitizer that it has: neither comes before the
// other then, as seldom as they may meet.
void meet(std::atomic<int>& there) {
  there.fetch_add(1, std::memory_order_relaxed);
  while (there.load(std::memory_order_relaxed) < 2) g_thread_yield();
}

void count() { ++counter; }

void count_with_a_lock_of_glib() {
  g_mutex_lock(&glib_mutex);
  ++counter;
  g_mutex_unlock(&glib_mutex);
}

void count_with_a_lock_of_ours() {
  const MutexLock lock(first);
  ++counter;
}

// Runs `work` on two threads that have met.
void twice(const std::function<void()>& work) {
  struct Job {
    const std::function<void()>& work;
  } job{work};
  const auto run = [](gpointer data) -> gpointer {
    static std::atomic<int> there = 0;
    meet(there);
    static_cast<Job*>(data)->work();
    return nullptr;
  };
  GThread* one = g_thread_new("one", run, &job);
  GThread* other = g_thread_new("other", run, &job);
  g_thread_join(one);
  g_thread_join(other);
}

// What runs when GStreamer lets go of an object is below a function that tsan.supp names. They meet
// there once more, since GLib's own locks have put what is before in an order.
void count_when_released() {
  GstObject* object = GST_OBJECT(gst_pad_new(nullptr, GST_PAD_SRC));
  gst_object_ref_sink(object);
  g_object_weak_ref(
      G_OBJECT(object),
      [](gpointer, GObject*) {
        static std::atomic<int> there = 0;
        meet(there);
        count();
      },
      nullptr);
  gst_object_unref(object);
}

void share_an_object() {
  static GstObject* const object =
      GST_OBJECT(gst_object_ref_sink(gst_pad_new(nullptr, GST_PAD_SRC)));
  gst_object_ref(object);
  gst_object_unref(object);
}

void hand_over() {
  static GAsyncQueue* const queue = g_async_queue_new();
  static std::atomic<bool> is_first = true;
  if (is_first.exchange(false, std::memory_order_relaxed)) {
    counter = 1;
    g_async_queue_push(queue, &counter);
  } else {
    ++*static_cast<int*>(g_async_queue_pop(queue));
  }
}

void take_both(Mutex& one, Mutex& other) {
  const MutexLock lock(one);
  const MutexLock inner(other);
  ++counter;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const std::map<std::string, std::function<void()>> probes = {
      {"nothing held", [] { twice(count); }},
      {"GMutex held", [] { twice(count_with_a_lock_of_glib); }},
      {"mutex held", [] { twice(count_with_a_lock_of_ours); }},
      {"handed over", [] { twice(hand_over); }},
      {"object shared", [] { twice(share_an_object); }},
      {"released", [] { twice(count_when_released); }},
      {"one order",
       [] {
         take_both(first, second);
         take_both(first, second);
       }},
      {"two orders",
       [] {
         take_both(first, second);
         take_both(second, first);
       }},
  };
  const auto probe = probes.find(argc == 2 ? argv[1] : "");
  if (probe == probes.end()) {
    std::fprintf(stderr, "tsan-probe: what to do?\n");
    return 2;
  }
  probe->second();
  return 0;
}
