// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a handler of the application's may do: whatever an element of the plugin tells on its own
// account, by a signal, by the notification of a property or by a message, on whichever thread that
// is, the handler may stop, restart or let go of the element or its pipeline.

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "handler_rigs.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {
namespace {

// Something that an element tells.
struct Telling {
  std::string name;
  RigMaker rig;
  Cause cause;
  // "authorize" or "notify::state"; empty for a message.
  std::string signal;
  // Of an enumeration that is notified: in this state only.
  std::string state;
  std::function<bool(GstMessage*)> is_message;
};
void PrintTo(const Telling& telling, std::ostream* out) { *out << telling.name; }

enum class Action {
  kStopPipeline,
  kStopElement,
  kRestartPipeline,
  kRestartElement,
  kUnrefPipeline,
  kRemoveElement,
  // What a handler does that has its work done by another thread, and waits for it.
  kStopPipelineElsewhere,
};
constexpr std::pair<Action, const char*> kActions[] = {
    {Action::kStopPipeline, "StopPipeline"},
    {Action::kStopElement, "StopElement"},
    {Action::kRestartPipeline, "RestartPipeline"},
    {Action::kRestartElement, "RestartElement"},
    {Action::kUnrefPipeline, "UnrefPipeline"},
    {Action::kRemoveElement, "RemoveElement"},
    {Action::kStopPipelineElsewhere, "StopPipelineElsewhere"},
};
void PrintTo(Action action, std::ostream* out) {
  *out << kActions[static_cast<std::size_t>(action)].second;
}

void set_state_successfully(GstElement* element, GstState state) {
  EXPECT_NE(gst_element_set_state(element, state), GST_STATE_CHANGE_FAILURE)
      << GST_OBJECT_NAME(element) << " to " << gst_element_state_get_name(state);
}

void act(Rig& rig, Action action) {
  GstElement* pipeline = rig.pipeline();
  GstElement* element = rig.element();
  // As GStreamer wants it for elements of a bin whose state may be changing.
  const bool alone = action == Action::kStopElement || action == Action::kRestartElement ||
                     action == Action::kRemoveElement;
  if (alone) gst_element_set_locked_state(element, TRUE);
  switch (action) {
    case Action::kStopPipeline:
      set_state_successfully(pipeline, GST_STATE_NULL);
      break;
    case Action::kStopElement:
      set_state_successfully(element, GST_STATE_NULL);
      break;
    case Action::kRestartPipeline:
      set_state_successfully(pipeline, GST_STATE_NULL);
      set_state_successfully(pipeline, GST_STATE_PLAYING);
      break;
    case Action::kRestartElement:
      set_state_successfully(element, GST_STATE_READY);
      set_state_successfully(element, GST_STATE_PLAYING);
      gst_element_set_locked_state(element, FALSE);
      break;
    case Action::kUnrefPipeline:
      set_state_successfully(pipeline, GST_STATE_NULL);
      rig.let_go();
      break;
    case Action::kRemoveElement:
      set_state_successfully(element, GST_STATE_NULL);
      EXPECT_TRUE(gst_bin_remove(GST_BIN(pipeline), element));
      break;
    case Action::kStopPipelineElsewhere:
      std::thread([&] { set_state_successfully(pipeline, GST_STATE_NULL); }).join();
      break;
  }
}

// A handler that does something once. Its closures keep it.
class Handler : public std::enable_shared_from_this<Handler> {
 public:
  Handler(Telling telling, std::function<void()> action)
      : telling_(std::move(telling)), action_(std::move(action)) {}

  void connect(GstElement* pipeline, GstElement* teller) {
    if (telling_.signal.empty()) return connect_bus(pipeline);
    GClosure* closure = g_closure_new_simple(sizeof(GClosure), nullptr);
    auto* self = new std::shared_ptr<Handler>(shared_from_this());
    g_closure_set_meta_marshal(closure, self, marshal);
    g_closure_add_finalize_notifier(
        closure, self, [](gpointer data, GClosure*) { delete static_cast<Self*>(data); });
    g_signal_connect_closure(teller, telling_.signal.c_str(), closure, FALSE);
  }

  // Ends the program when it does not return: what it holds then, everything else waits for.
  void wait_returned() {
    if (returned_.get_future().wait_for(kDeadline) == std::future_status::ready) return;
    std::fprintf(stderr, "%s: the handler %s\n", telling_.name.c_str(),
                 begun_ ? "does not return" : "was not called");
    std::abort();
  }

 private:
  using Self = std::shared_ptr<Handler>;

  // Of a handler with any arguments, and TRUE where an answer is wanted.
  static void marshal(GClosure*, GValue* answer, guint, const GValue* arguments, gpointer,
                      gpointer data) {
    const Self self = *static_cast<Self*>(data);
    if (answer && G_VALUE_HOLDS_BOOLEAN(answer)) g_value_set_boolean(answer, TRUE);
    if (self->telling_.state.empty() ||
        self->telling_.state == enum_nick(g_value_get_object(arguments), "state")) {
      self->run();
    }
  }

  void connect_bus(GstElement* pipeline) {
    const GstPtr<GstBus> bus(gst_element_get_bus(pipeline));
    gst_bus_set_sync_handler(
        bus.get(),
        [](GstBus* of, GstMessage* message, gpointer data) {
          // A dropped message emits no "sync-message", for which elements may be waiting.
          gst_bus_sync_signal_handler(of, message, nullptr);
          const Self self = *static_cast<Self*>(data);
          if (self->telling_.is_message(message)) self->run();
          gst_message_unref(message);
          return GST_BUS_DROP;
        },
        new Self(shared_from_this()), [](gpointer data) { delete static_cast<Self*>(data); });
  }

  void run() {
    if (begun_.exchange(true)) return;
    action_();
    returned_.set_value();
  }

  const Telling telling_;
  const std::function<void()> action_;
  std::atomic<bool> begun_ = false;
  std::promise<void> returned_;
};

// -------------------------------------------------------------------------------------------------
// what is told

Telling message(const char* name, RigMaker rig, Cause cause,
                std::function<bool(GstMessage*)> is_message) {
  return {name, rig, cause, "", "", std::move(is_message)};
}
std::function<bool(GstMessage*)> progress(GstProgressType type) {
  return [type](GstMessage* message) {
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_PROGRESS) return false;
    GstProgressType found{};
    gst_message_parse_progress(message, &found, nullptr, nullptr);
    return found == type;
  };
}
std::function<bool(GstMessage*)> element_message(const char* structure) {
  return [structure](GstMessage* message) {
    return GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT &&
           gst_message_has_name(message, structure);
  };
}
std::function<bool(GstMessage*)> of_type(GstMessageType type) {
  return [type](GstMessage* message) { return GST_MESSAGE_TYPE(message) == type; };
}

std::vector<Telling> tellings() {
  const RigMaker upload = make_upload_rig;
  const RigMaker results = make_results_rig;
  const RigMaker server = make_server_rig;
  const RigMaker inner = make_server_rig_of_upload;
  return {
      {"Authorize", upload, Cause::kBegin, "authorize", "", {}},
      {"CheckQuota", upload, Cause::kBegin, "check-quota", "", {}},
      {"UploadComplete", upload, Cause::kComplete, "upload-complete", "", {}},
      {"UploadFailed", upload, Cause::kFail, "upload-failed", "", {}},
      {"Idle", upload, Cause::kStartAgain, "notify::state", "idle", {}},
      {"Uploading", upload, Cause::kBegin, "notify::state", "uploading", {}},
      {"Complete", upload, Cause::kComplete, "notify::state", "complete", {}},
      {"Processing", upload, Cause::kComplete, "notify::state", "processing", {}},
      {"Done", upload, Cause::kComplete, "notify::state", "done", {}},
      {"Error", upload, Cause::kFail, "notify::state", "error", {}},
      message("ProgressStart", upload, Cause::kBegin, progress(GST_PROGRESS_TYPE_START)),
      message("ProgressComplete", upload, Cause::kComplete, progress(GST_PROGRESS_TYPE_COMPLETE)),
      message("ProgressError", upload, Cause::kFail, progress(GST_PROGRESS_TYPE_ERROR)),
      message("Stats", upload, Cause::kComplete,
              element_message("application/x-webrtcupload-stats")),
      message("ErrorMessage", upload, Cause::kFail, of_type(GST_MESSAGE_ERROR)),

      {"Control", results, Cause::kControl, "control", "", {}},
      message("Delivered", results, Cause::kComplete,
              element_message("application/x-webrtcresults-delivered")),
      message("PeerGone", results, Cause::kPeerGoes, of_type(GST_MESSAGE_WARNING)),

      {"PeerAdded", server, Cause::kPeer, "peer-added", "", {}},
      {"PeerRemoved", server, Cause::kPeerGoes, "peer-removed", "", {}},
      {"Url", server, Cause::kStart, "notify::url", "", {}},
      {"Port", server, Cause::kStart, "notify::port", "", {}},
      message("Listens", server, Cause::kStart,
              element_message("application/x-webrtcuploadserver")),
      message("NotBegun", server, Cause::kPeerIsIdle, of_type(GST_MESSAGE_INFO)),
      {"ServersAuthorize", inner, Cause::kBegin, "authorize", "", {}},
      {"ServersUploadComplete", inner, Cause::kComplete, "upload-complete", "", {}},
      {"ServersDone", inner, Cause::kComplete, "notify::state", "done", {}},
  };
}

using Case = std::tuple<Telling, Action>;

class InHandler : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    // GStreamer warns of changes of state that it cannot make.
    g_log_set_fatal_mask(
        "GStreamer",
        static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING));
    // No thread is kept for later, so that they can be counted.
    g_thread_pool_set_max_unused_threads(0);
    // The first ones open what the process then keeps.
    for (const RigMaker make : {make_upload_rig, make_results_rig, make_server_rig}) {
      const auto rig = make();
      rig->cause(Cause::kStart);
      rig->expect_works(true);
      rig->end();
    }
  }
  static void TearDownTestSuite() { end_rigs(); }

  // But for those that webrtcbin keeps for each channel that there ever was.
  static std::size_t threads() {
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream file(task.path() / "comm");
      std::string name;
      std::getline(file, name);
      if (!name.empty() && !name.starts_with("appsrc") && !name.starts_with("sctpdec")) ++count;
    }
    return count;
  }
};

// Sets what it shares with the test when an object goes.
std::shared_ptr<std::atomic<bool>> watch(GstElement* element) {
  auto gone = std::make_shared<std::atomic<bool>>(false);
  g_object_weak_ref(
      G_OBJECT(element),
      [](gpointer data, GObject*) {
        auto* shared = static_cast<std::shared_ptr<std::atomic<bool>>*>(data);
        **shared = true;
        delete shared;
      },
      new std::shared_ptr<std::atomic<bool>>(gone));
  return gone;
}

TEST_P(InHandler, AnythingIsAllowed) {
  const auto& [telling, action] = GetParam();
  const FdGuard descriptors;
  const std::size_t threads_before = threads();
  std::shared_ptr<Rig> rig = telling.rig();
  const auto element_gone = watch(rig->element());
  const auto pipeline_gone = watch(rig->pipeline());
  auto handler = std::make_shared<Handler>(telling, [rig, action = action] { act(*rig, action); });
  handler->connect(rig->pipeline(), rig->teller());
  rig->cause(telling.cause);
  handler->wait_returned();
  handler.reset();

  const auto state = [](GstElement* element) {
    GstState current = GST_STATE_VOID_PENDING;
    gst_element_get_state(element, &current, nullptr, 0);
    return current;
  };
  switch (action) {
    case Action::kStopPipeline:
    case Action::kStopPipelineElsewhere:
      EXPECT_EQ(state(rig->pipeline()), GST_STATE_NULL);
      [[fallthrough]];
    case Action::kStopElement:
      EXPECT_EQ(state(rig->element()), GST_STATE_NULL);
      break;
    case Action::kRestartElement:
      // An error message has ended the pipeline's own way to PLAYING, if it was still on it.
      rig->play();
      [[fallthrough]];
    case Action::kRestartPipeline:
      rig->expect_works(action == Action::kRestartPipeline);
      break;
    case Action::kUnrefPipeline:
      EXPECT_TRUE(eventually([&] { return pipeline_gone->load(); }));
      [[fallthrough]];
    case Action::kRemoveElement:
      rig->forget_messages();
      EXPECT_TRUE(eventually([&] { return element_gone->load(); }));
      break;
  }
  rig->end();
  rig.reset();
  EXPECT_TRUE(eventually([&] { return *element_gone && *pipeline_gone; }))
      << (*element_gone ? "the pipeline" : "the element") << " is kept";
  EXPECT_TRUE(eventually([&] { return threads() <= threads_before; }))
      << threads() << " threads, " << threads_before << " before";
  descriptors.expect_none_new();
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Telling& telling : tellings()) {
    for (const auto& [action, name] : kActions) all.emplace_back(telling, action);
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [telling, action] = info.param;
  return telling.name + "_" + kActions[static_cast<std::size_t>(action)].second;
}

INSTANTIATE_TEST_SUITE_P(, InHandler, testing::ValuesIn(cases()), name_of);

// Whatever the plugins' elements have is among what is tried above: signals but for actions, which
// the application itself emits, and properties that an element changes by itself and notifies.
TEST(Handlers, NothingThatElementsTellIsLeftOut) {
  const std::set<std::string> not_notified = {"stats"};
  std::set<std::string> tried;
  for (const Telling& telling : tellings()) {
    const auto rig = telling.rig();
    tried.insert(std::string(G_OBJECT_TYPE_NAME(rig->teller())) + " " + telling.signal);
  }
  GList* features = g_list_concat(
      gst_registry_get_feature_list_by_plugin(gst_registry_get(), "webrtcupload"),
      gst_registry_get_feature_list_by_plugin(gst_registry_get(), "webrtcuploadserver"));
  int elements = 0;
  for (GList* item = features; item; item = item->next) {
    if (!GST_IS_ELEMENT_FACTORY(item->data)) continue;
    ++elements;
    const GstPtr<GstElement> element(GST_ELEMENT(
        gst_object_ref_sink(gst_element_factory_create(GST_ELEMENT_FACTORY(item->data), nullptr))));
    const std::string type = G_OBJECT_TYPE_NAME(element.get());
    guint count = 0;
    guint* ids = g_signal_list_ids(G_OBJECT_TYPE(element.get()), &count);
    for (guint i = 0; i < count; ++i) {
      GSignalQuery query;
      g_signal_query(ids[i], &query);
      if (query.signal_flags & G_SIGNAL_ACTION) continue;
      EXPECT_TRUE(tried.contains(type + " " + query.signal_name)) << type << query.signal_name;
    }
    g_free(ids);
    GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element.get()), &count);
    for (guint i = 0; i < count; ++i) {
      const std::string name = specs[i]->name;
      if (specs[i]->owner_type != G_OBJECT_TYPE(element.get())) continue;
      if ((specs[i]->flags & G_PARAM_WRITABLE) || not_notified.contains(name)) continue;
      EXPECT_TRUE(tried.contains(type + " notify::" + name)) << type << " " << name;
    }
    g_free(specs);
  }
  gst_plugin_feature_list_free(features);
  EXPECT_EQ(elements, 7);
  end_rigs();
}

}  // namespace
}  // namespace webrtcupload::test
