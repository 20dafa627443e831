// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every test that runs GStreamer shares: start-up, a leak check at the end, deadlines, bus
// messages to wait for, and a count of file descriptors.
//
// Link with gst_test_dep (tests/support/meson.build), which brings main(): it initialises
// GStreamer, runs the tests, then fails the run if GStreamer's leaks tracer still knows an object.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/wait.h"

namespace webrtcupload::test {

// How long is still "at once" for a teardown, likewise on a slow machine: less than any time-out of
// the elements and of WebRTC that one could wait for by mistake (30 s and more), and otherwise as
// much as can be given.
inline constexpr std::chrono::seconds kPrompt{20};

// Pipeline from a description; fails the test and returns null when it does not parse.
GstPtr<GstElement> parse_pipeline(const std::string& description);

// The element called `name` in `bin`; fails the test when there is none.
GstPtr<GstElement> element_named(const GstPtr<GstElement>& bin, const char* name);

// Sets the state and waits until it is reached. The result of set_state when that is not ASYNC.
[[nodiscard]] GstStateChangeReturn set_state(GstElement* element, GstState state);

// Sets NULL and fails the test unless that took no longer than kPrompt.
void stop_promptly(GstElement* element);

// All messages of a pipeline from the moment it is made, each to be waited for. It takes the bus'
// sync handler, so messages do not reach a main loop or gst_bus_pop() as well.
class BusLog {
 public:
  using Predicate = std::function<bool(GstMessage*)>;

  explicit BusLog(GstElement* pipeline);
  ~BusLog();
  BusLog(const BusLog&) = delete;
  BusLog& operator=(const BusLog&) = delete;

  // The first message, old or new, that is of one of `types` (and that `predicate` accepts); null
  // when none came before the deadline. Never returns the same message twice.
  GstMessagePtr wait(GstMessageType types, const Predicate& predicate = nullptr,
                     std::chrono::milliseconds deadline = kDeadline);

  // Everything posted so far that is of `types`, returned by wait() before or not.
  [[nodiscard]] std::vector<GstMessagePtr> all(GstMessageType types) const;
  [[nodiscard]] std::size_t count(GstMessageType types) const { return all(types).size(); }

 private:
  struct Entry {
    GstMessagePtr message;
    bool returned = false;
  };

  static GstBusSyncReply on_message(GstBus* bus, GstMessage* message, gpointer self);

  GstPtr<GstBus> bus_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Entry> messages_;
};

// What an error message, or a warning, says.
struct ErrorText {
  std::string message;
  std::string debug;
  // The "error-code" of its details, or "".
  std::string code;
};
ErrorText error_text(GstMessage* message);
// For a failed expectation: "ERROR from sink0: ..." and so on.
std::string describe(GstMessage* message);

// Finds descriptors that are open at the end of a test but were not at its start.
class FdGuard {
 public:
  FdGuard() : before_(open_descriptors()) {}

  // Fails the test if, by the deadline, there still are descriptors that were not open before.
  void expect_none_new(std::chrono::milliseconds deadline = kPrompt) const;

  // Descriptor to what it refers to, as in /proc/self/fd.
  static std::map<int, std::string> open_descriptors();

 private:
  std::map<int, std::string> before_;
};

// The body of main().
int run_gst_tests(int argc, char** argv);

}  // namespace webrtcupload::test
