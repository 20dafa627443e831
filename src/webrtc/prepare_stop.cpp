// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/prepare_stop.h"

#include <chrono>
#include <memory>
#include <vector>

#include "core/mutex.h"
#include "glib/elements_in.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/inner_elements.h"
#include "webrtc/outgoing.h"

namespace webrtcupload {
namespace {

constexpr std::chrono::seconds kTasksTimeout{5};

struct Answered {
  Mutex mutex;
  ConditionVariable changed;
  bool answered GUARDED_BY(mutex) = false;
};

void on_answered(GstPromise*, gpointer data) {
  Answered& answered = **static_cast<std::shared_ptr<Answered>*>(data);
  const MutexLock lock(answered.mutex);
  answered.answered = true;
  answered.changed.notify_all();
}

// A bin around a webrtcbin may forward other signals only.
bool can_be_asked(GstElement* element) {
  return is_webrtcbin(element) && g_signal_lookup("get-stats", G_OBJECT_TYPE(element)) != 0;
}

std::vector<GstPtr<GstElement>> webrtcbins_of(GstElement* element) {
  std::vector<GstPtr<GstElement>> found;
  if (can_be_asked(element)) {
    found.push_back(ref_gst(element));
  } else if (GST_IS_BIN(element)) {
    found = elements_in(GST_BIN(element));
    std::erase_if(found, [](const auto& inner) { return !can_be_asked(inner.get()); });
  }
  return found;
}

}  // namespace

void drop_incoming(GstElement* webrtcbin) {
  for (const auto& pad : sink_pads_of(webrtcbin, inner::kSctpDecoder)) drop_at(pad.get());
}

void stop_receiving(GstElement* webrtcbin) {
  for (const auto& pad : sink_pads_of(webrtcbin, inner::kSctpDecoder)) {
    gst_pad_send_event(pad.get(), gst_event_new_flush_start());
    wait_for_packet(pad.get());
  }
}

void ask_in_turn(GstElement* webrtcbin, GstPromise* promise) {
  if (g_signal_lookup("add-ice-candidate-full", G_OBJECT_TYPE(webrtcbin)) != 0) {
    g_signal_emit_by_name(webrtcbin, "add-ice-candidate-full", G_MAXUINT, "", promise);
  } else {
    g_signal_emit_by_name(webrtcbin, "get-stats", nullptr, promise);
  }
}

void finish_tasks(GstElement* webrtcbin) {
  if (!GST_IS_BIN(webrtcbin)) return;
  // A webrtcbin that has no such thread answers at once.
  auto answered = std::make_shared<Answered>();
  GstPromise* promise = gst_promise_new_with_change_func(
      on_answered, new std::shared_ptr<Answered>(answered),
      [](gpointer data) { delete static_cast<std::shared_ptr<Answered>*>(data); });
  ask_in_turn(webrtcbin, promise);
  gst_promise_unref(promise);
  MutexLock lock(answered->mutex);
  answered->changed.wait_for(answered->mutex, kTasksTimeout,
                             [&]() REQUIRES(answered->mutex) { return answered->answered; });
}

bool prepare_stop(GstElement* element) {
  const auto webrtcbins = webrtcbins_of(element);
  for (const auto& webrtcbin : webrtcbins) {
    // In this order: what is received may open channels, and each sends an acknowledgement; what is
    // sent may close one.
    stop_receiving(webrtcbin.get());
    stop_sending(webrtcbin.get());
    finish_tasks(webrtcbin.get());
  }
  return !webrtcbins.empty();
}

}  // namespace webrtcupload
