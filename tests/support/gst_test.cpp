// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/gst_test.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <unistd.h>

#include "support/live_objects.h"

namespace webrtcupload::test {

GstPtr<GstElement> parse_pipeline(const std::string& description) {
  GError* raw_error = nullptr;
  GstElement* pipeline =
      gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw_error);
  const GErrorPtr error(raw_error);
  if (error || !pipeline) {
    ADD_FAILURE() << description << ": " << (error ? error->message : "no pipeline");
    return nullptr;
  }
  return GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(pipeline)));
}

GstPtr<GstElement> element_named(const GstPtr<GstElement>& bin, const char* name) {
  GstPtr<GstElement> element(gst_bin_get_by_name(GST_BIN(bin.get()), name));
  EXPECT_TRUE(element) << "no element named " << name;
  return element;
}

GstStateChangeReturn set_state(GstElement* element, GstState state) {
  const GstStateChangeReturn result = gst_element_set_state(element, state);
  if (result != GST_STATE_CHANGE_ASYNC) return result;
  const auto deadline = std::chrono::nanoseconds(kDeadline).count();
  return gst_element_get_state(element, nullptr, nullptr, static_cast<GstClockTime>(deadline));
}

void stop_promptly(GstElement* element) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LE(took, kPrompt) << "teardown took "
                           << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                           << " ms";
}

BusLog::BusLog(GstElement* pipeline) : bus_(gst_element_get_bus(pipeline)) {
  gst_bus_set_sync_handler(bus_.get(), on_message, this, nullptr);
}

BusLog::~BusLog() { gst_bus_set_sync_handler(bus_.get(), nullptr, nullptr, nullptr); }

GstBusSyncReply BusLog::on_message(GstBus* bus, GstMessage* message, gpointer self) {
  auto* log = static_cast<BusLog*>(self);
  // A dropped message emits no "sync-message", for which elements may be waiting.
  gst_bus_sync_signal_handler(bus, message, nullptr);
  const std::lock_guard lock(log->mutex_);
  log->messages_.push_back({GstMessagePtr(gst_message_ref(message)), false});
  log->arrived_.notify_all();
  gst_message_unref(message);
  return GST_BUS_DROP;
}

namespace {

// Extended types are numbers and no bits: as bits, "streams selected" would be an EOS.
bool is_of(GstMessage* message, GstMessageType types) {
  const GstMessageType type = GST_MESSAGE_TYPE(message);
  if (GST_MESSAGE_TYPE_IS_EXTENDED(message)) return type == types;
  return (type & types) != 0;
}

}  // namespace

GstMessagePtr BusLog::wait(GstMessageType types, const Predicate& predicate,
                           std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  std::unique_lock lock(mutex_);
  std::size_t seen = 0;
  for (;;) {
    for (; seen < messages_.size(); ++seen) {
      Entry& entry = messages_[seen];
      if (entry.returned || !is_of(entry.message.get(), types)) continue;
      if (predicate && !predicate(entry.message.get())) continue;
      entry.returned = true;
      return GstMessagePtr(gst_message_ref(entry.message.get()));
    }
    if (arrived_.wait_until(lock, until) == std::cv_status::timeout && seen == messages_.size()) {
      return nullptr;
    }
  }
}

std::vector<GstMessagePtr> BusLog::all(GstMessageType types) const {
  const std::lock_guard lock(mutex_);
  std::vector<GstMessagePtr> found;
  for (const Entry& entry : messages_) {
    if (is_of(entry.message.get(), types)) {
      found.emplace_back(gst_message_ref(entry.message.get()));
    }
  }
  return found;
}

ErrorText error_text(GstMessage* message) {
  GError* raw_error = nullptr;
  char* raw_debug = nullptr;
  const GstStructure* details = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning(message, &raw_error, &raw_debug);
    gst_message_parse_warning_details(message, &details);
  } else {
    gst_message_parse_error(message, &raw_error, &raw_debug);
    gst_message_parse_error_details(message, &details);
  }
  const GErrorPtr error(raw_error);
  const GCharPtr debug(raw_debug);
  const char* code = details ? gst_structure_get_string(details, "error-code") : nullptr;
  return {error ? error->message : "", debug ? debug.get() : "", code ? code : ""};
}

std::string describe(GstMessage* message) {
  if (!message) return "no message";
  std::string text = std::string(GST_MESSAGE_TYPE_NAME(message)) + " from " +
                     (GST_MESSAGE_SRC(message) ? GST_OBJECT_NAME(GST_MESSAGE_SRC(message)) : "?");
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    const ErrorText error = error_text(message);
    text += ": " + error.message + " (" + error.debug + ") [" + error.code + "]";
  } else if (const GstStructure* structure = gst_message_get_structure(message)) {
    text += ": " + std::string(GCharPtr(gst_structure_to_string(structure)).get());
  }
  return text;
}

std::map<int, std::string> FdGuard::open_descriptors() {
  std::map<int, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(entry.path(), error);
    // The descriptor that lists this very directory is gone when the listing ends.
    if (error || target.string().ends_with("/fd")) continue;
    found.emplace(std::atoi(entry.path().filename().c_str()), target.string());
  }
  return found;
}

void FdGuard::expect_none_new(std::chrono::milliseconds deadline) const {
  std::map<int, std::string> fresh;
  const bool clean = eventually(
      [&] {
        fresh = open_descriptors();
        std::erase_if(fresh, [&](const auto& item) {
          const auto old = before_.find(item.first);
          return old != before_.end() && old->second == item.second;
        });
        return fresh.empty();
      },
      deadline);
  if (clean) return;
  std::string text;
  for (const auto& [descriptor, target] : fresh) {
    text += "\n  " + std::to_string(descriptor) + " -> " + target;
  }
  ADD_FAILURE() << "descriptors left open:" << text;
}

namespace {

// Typefinders and their caps belong to the registry, which never frees them; unlike other features
// they do not say so.
void expect_typefinders_to_stay() {
  GList* factories = gst_type_find_factory_get_list();
  for (GList* item = factories; item; item = item->next) {
    GST_OBJECT_FLAG_SET(item->data, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    if (GstCaps* caps = gst_type_find_factory_get_caps(GST_TYPE_FIND_FACTORY(item->data))) {
      GST_MINI_OBJECT_FLAG_SET(caps, GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED);
    }
  }
  gst_plugin_feature_list_free(factories);
}

// The ids of all other threads, and whether each sleeps: not so while it waits for a processor.
std::map<int, bool> other_threads() {
  std::map<int, bool> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const int id = std::atoi(task.path().filename().c_str());
    std::ifstream file(task.path() / "stat");
    // A stream's own functions only: its buffer throws where the thread ends while it is read.
    std::string stat;
    std::getline(file, stat, '\0');
    // "ID (name) STATE ...", where a name may hold anything; empty when the thread has just ended.
    const std::size_t state = stat.rfind(')') + 2;
    if (id != gettid() && state < stat.size()) found[id] = stat[state] == 'S';
  }
  return found;
}

// Until there have been the same threads for a while, and each of them was mostly asleep.
void wait_for_threads_to_settle() {
  constexpr int kLooks = 60;
  std::map<int, int> seen_asleep;
  eventually([&] {
    const auto threads = other_threads();
    const bool same =
        std::equal(threads.begin(), threads.end(), seen_asleep.begin(), seen_asleep.end(),
                   [](const auto& thread, const auto& seen) { return thread.first == seen.first; });
    if (!same) seen_asleep.clear();
    bool settled = same;
    for (const auto& [id, asleep] : threads) {
      seen_asleep[id] += asleep ? 1 : 0;
      settled = settled && seen_asleep[id] >= kLooks;
    }
    return settled;
  });
}

// Checked after all tests, when whatever they made is gone; so what is left was leaked.
class LeakCheck : public testing::Environment {
 public:
  void TearDown() override {
    expect_typefinders_to_stay();
    // Threads of webrtcbin and GLib may still be letting go of the last objects. One that sleeps
    // amid that cannot be told from one that has done: the look that meets its object has it in the
    // list, which is no fault of what was tested; the next one counts.
    std::vector<std::string> left;
    for (int attempt = 0; attempt < 3; ++attempt) {
      wait_for_threads_to_settle();
      left = live_objects();
      if (left.empty()) break;
    }
    if (left.empty()) return;
    std::string text;
    constexpr std::size_t kShown = 30;
    constexpr std::size_t kWidth = 200;
    for (std::size_t i = 0; i < std::min(left.size(), kShown); ++i) {
      text += "\n  " + left[i].substr(0, kWidth);
    }
    ADD_FAILURE() << left.size() << " GStreamer objects leaked:" << text;
  }
};

}  // namespace

int run_gst_tests(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // The build's test environment says the same; this is for running a test by hand.
  g_setenv("GST_TRACERS", "leaks", FALSE);
  gst_init(&argc, &argv);
  if (leaks_tracer_active()) {
    prepare_live_objects();
    testing::AddGlobalTestEnvironment(new LeakCheck);
  } else {
    std::cerr << "note: GST_TRACERS has no \"leaks\", so leaks are not checked\n";
  }
  // No gst_deinit(): the tracer would warn of the objects that the check above knows to be meant to
  // stay.
  return RUN_ALL_TESTS();
}

}  // namespace webrtcupload::test
