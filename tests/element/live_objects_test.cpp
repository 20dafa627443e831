// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Looking for leaks while another thread frees what is being listed.

#include "support/live_objects.h"

#include <gmock/gmock.h>
#include <gst/sctp/sctpsendmeta.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unistd.h>

#include "support/gst_test.h"

namespace webrtcupload::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

// What the thread that frees an object tells the test.
class Gate {
 public:
  void reach() {
    const std::lock_guard lock(mutex_);
    reached_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return reached_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
};

// What an object meets at its end.
struct End {
  Gate begun;
  // Finalising waits for it.
  Gate may_end;
  std::atomic<bool> freed = false;
};

struct Mortal {
  GstObject object;
  End* end;
};
struct MortalClass {
  GstObjectClass parent;
};
G_DEFINE_TYPE(Mortal, mortal, GST_TYPE_OBJECT)

void mortal_init(Mortal* /*self*/) {}

void mortal_finalize(GObject* object) {
  End* end = reinterpret_cast<Mortal*>(object)->end;
  end->begun.reach();
  end->may_end.wait();
  G_OBJECT_CLASS(mortal_parent_class)->finalize(object);
  end->freed = true;
}

void mortal_class_init(MortalClass* klass) { G_OBJECT_CLASS(klass)->finalize = mortal_finalize; }

GstPtr<GstObject> new_mortal(End* end) {
  auto* mortal = static_cast<Mortal*>(g_object_new(mortal_get_type(), nullptr));
  mortal->end = end;
  return GstPtr<GstObject>(static_cast<GstObject*>(gst_object_ref_sink(mortal)));
}

GType mortal_mini_type() {
  static const GType type = g_boxed_type_register_static(
      "MortalMini",
      [](gpointer object) -> gpointer { return gst_mini_object_ref(GST_MINI_OBJECT_CAST(object)); },
      [](gpointer object) { gst_mini_object_unref(GST_MINI_OBJECT_CAST(object)); });
  return type;
}

struct MortalMini {
  GstMiniObject object;
  End* end;
};

GstMiniPtr<GstMiniObject> new_mortal_mini(End* end) {
  auto* mortal = new MortalMini;
  mortal->end = end;
  gst_mini_object_init(
      &mortal->object, 0, mortal_mini_type(), nullptr,
      [](GstMiniObject* object) -> gboolean {
        End* at_end = reinterpret_cast<MortalMini*>(object)->end;
        at_end->begun.reach();
        at_end->may_end.wait();
        return TRUE;
      },
      [](GstMiniObject* object) {
        auto* self = reinterpret_cast<MortalMini*>(object);
        self->end->freed = true;
        delete self;
      });
  return GstMiniPtr<GstMiniObject>(&mortal->object);
}

// Calls `then` each time the tracer has made its list, before anybody looks at that.
class AfterListing {
 public:
  explicit AfterListing(std::function<void()> then) : then_(std::move(then)) {
    GList* tracers = gst_tracing_get_active_tracers();
    tracer_.reset(GST_OBJECT(gst_object_ref(tracers->data)));
    g_list_free_full(tracers, gst_object_unref);
    GClosure* closure = g_closure_new_simple(sizeof(GClosure), this);
    // A marshaller that leaves the return value alone, which is the tracer's list.
    g_closure_set_marshal(closure,
                          [](GClosure* self, GValue*, guint, const GValue*, gpointer, gpointer) {
                            static_cast<AfterListing*>(self->data)->then_();
                          });
    id_ = g_signal_connect_closure(tracer_.get(), "get-live-objects", closure, TRUE);
  }
  ~AfterListing() { g_signal_handler_disconnect(tracer_.get(), id_); }
  AfterListing(const AfterListing&) = delete;
  AfterListing& operator=(const AfterListing&) = delete;

 private:
  std::function<void()> then_;
  GstPtr<GstObject> tracer_;
  gulong id_ = 0;
};

// Drops its last reference on a thread of its own, when told to.
class Dropper {
 public:
  template <typename Pointer>
  void drop(Pointer object) {
    thread_ = std::jthread([this, object = std::move(object)]() mutable {
      id_ = gettid();
      object.reset();
    });
  }
  void join() { thread_.join(); }

  [[nodiscard]] bool sleeps() const {
    std::ifstream file(std::filesystem::path("/proc/self/task") / std::to_string(id_) / "stat");
    std::string stat;
    std::getline(file, stat, '\0');
    const std::size_t name_end = stat.rfind(')');
    return name_end != std::string::npos && stat[name_end + 2] == 'S';
  }

 private:
  std::atomic<pid_t> id_ = 0;
  std::jthread thread_;
};

TEST(LiveObjects, ListsWhatIsAlive) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  End end;
  end.may_end.reach();
  GstPtr<GstObject> alive = new_mortal(&end);
  EXPECT_THAT(live_objects(), Contains(HasSubstr("Mortal")));
  EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(alive.get()), 1U);
  alive.reset();
  EXPECT_TRUE(end.freed);
  EXPECT_THAT(live_objects(), IsEmpty());
}

// The last reference goes after the tracer has listed the object.
TEST(LiveObjects, LeavesAnObjectAloneThatIsBeingFinalised) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  End end;
  GstPtr<GstObject> mortal = new_mortal(&end);
  const GstPtr<GstObject> other(GST_OBJECT(gst_object_ref_sink(gst_bin_new("other"))));
  Dropper dropper;
  {
    const AfterListing after([&] {
      dropper.drop(std::move(mortal));
      EXPECT_TRUE(end.begun.wait());
    });
    const auto listed = live_objects();
    EXPECT_THAT(listed, Contains("Mortal that is being finalised"));
    EXPECT_THAT(listed, Contains(HasSubstr("GstBin")));
  }
  EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(other.get()), 1U);
  end.may_end.reach();
  dropper.join();
  EXPECT_TRUE(end.freed);
}

// The last reference goes after the tracer has listed the object, and nothing but the look itself
// holds the other thread up before it frees the memory.
template <typename Pointer>
void expect_that_freeing_waits(Pointer mortal, End& end, const std::string& listed) {
  end.may_end.reach();
  Dropper dropper;
  {
    const AfterListing after([&] {
      dropper.drop(std::move(mortal));
      EXPECT_TRUE(end.begun.wait());
      EXPECT_TRUE(eventually([&] { return end.freed || dropper.sleeps(); }));
      EXPECT_FALSE(end.freed);
    });
    EXPECT_THAT(live_objects(), Contains(listed));
  }
  dropper.join();
  EXPECT_TRUE(end.freed);
}

TEST(LiveObjects, HoldsUpTheThreadThatFreesWhatIsListed) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  End end;
  expect_that_freeing_waits(new_mortal(&end), end, "Mortal that is being finalised");
}

TEST(LiveObjects, LeavesAMiniObjectAloneThatIsBeingFreed) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  End end;
  GstMiniPtr<GstMiniObject> mortal = new_mortal_mini(&end);
  Dropper dropper;
  dropper.drop(std::move(mortal));
  ASSERT_TRUE(end.begun.wait());
  EXPECT_THAT(live_objects(), Contains("MortalMini that is being finalised"));
  EXPECT_FALSE(end.freed);
  end.may_end.reach();
  dropper.join();
  EXPECT_TRUE(end.freed);
}

TEST(LiveObjects, HoldsUpTheThreadThatFreesAMiniObjectThatIsListed) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  End end;
  expect_that_freeing_waits(new_mortal_mini(&end), end, "MortalMini that is being finalised");
}

// As webrtcbin makes them.
GstBufferPtr new_message() {
  GstBufferPtr message(gst_buffer_new_memdup("abc", 3));
  gst_sctp_buffer_add_send_meta(message.get(), 53, TRUE,
                                GST_SCTP_SEND_META_PARTIAL_RELIABILITY_NONE, 0);
  return message;
}

TEST(LiveObjects, LeavesOutAMessageThatWebrtcbinHasLeaked) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  const GstBufferPtr leaked = new_message();
  if (webrtcbin_leaks_messages()) {
    EXPECT_THAT(live_objects(), IsEmpty());
  } else {
    EXPECT_THAT(live_objects(), Contains(HasSubstr("GstBuffer")));
  }
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(leaked.get()), 1);
}

TEST(LiveObjects, ListsAMessageThatIsReferredToOnceMore) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  const GstBufferPtr message = new_message();
  const GstBufferPtr second(gst_buffer_ref(message.get()));
  EXPECT_THAT(live_objects(), Contains(HasSubstr("GstBuffer")));
}

TEST(LiveObjects, ListsABufferThatIsNoMessage) {
  if (!leaks_tracer_active()) GTEST_SKIP() << "no leaks tracer";
  // So that the kind of the messages' metadata is known.
  EXPECT_TRUE(new_message());
  const GstBufferPtr buffer(gst_buffer_new_memdup("abc", 3));
  EXPECT_THAT(live_objects(), Contains(HasSubstr("GstBuffer")));
}

}  // namespace
}  // namespace webrtcupload::test
