// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/promises.h"

#include <utility>

#include "glib/main_context.h"

namespace webrtcupload {
namespace {

constexpr std::chrono::milliseconds kTimeout{5000};

PromiseResult read_promise(GstPromise* promise, const char* field) {
  PromiseResult result;
  if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) {
    result.problem = "webrtcbin was stopped";
    return result;
  }
  const GstStructure* reply = gst_promise_get_reply(promise);
  if (reply && gst_structure_has_field(reply, "error")) {
    GError* error = nullptr;
    gst_structure_get(reply, "error", G_TYPE_ERROR, &error, nullptr);
    result.problem = error ? error->message : "webrtcbin failed";
    g_clear_error(&error);
  } else if (field) {
    GstWebRTCSessionDescription* description = nullptr;
    if (reply) {
      gst_structure_get(reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, nullptr);
    }
    result.description.reset(description);
    if (!description) result.problem = "webrtcbin made no session description";
  }
  return result;
}

}  // namespace

DescriptionPtr parse_description(GstWebRTCSDPType type, const std::string& text) {
  GstSDPMessage* message = nullptr;
  if (text.empty()) return nullptr;  // Which GStreamer asserts.
  if (gst_sdp_message_new_from_text(text.c_str(), &message) != GST_SDP_OK) {
    if (message) gst_sdp_message_free(message);
    return nullptr;
  }
  return DescriptionPtr(gst_webrtc_session_description_new(type, message));
}

void Promises::given() {
  const MutexLock lock(mutex_);
  ++open_;
}

void Promises::fulfilled() {
  const MutexLock lock(mutex_);
  --open_;
  changed_.notify_all();
}

void Promises::wait() {
  MutexLock lock(mutex_);
  changed_.wait_for(mutex_, kTimeout, [this]() REQUIRES(mutex_) { return open_ == 0; });
}

GstPromise* make_promise(GMainContext* context, std::shared_ptr<Promises> promises,
                         const char* field, std::function<void(PromiseResult)> then) {
  struct Waiting {
    GMainContext* context;
    std::shared_ptr<Promises> promises;
    const char* field;
    std::function<void(PromiseResult)> then;
  };
  promises->given();
  return gst_promise_new_with_change_func(
      [](GstPromise* promise, gpointer data) {
        auto* waiting = static_cast<Waiting*>(data);
        auto result = std::make_shared<PromiseResult>(read_promise(promise, waiting->field));
        gst_promise_unref(promise);
        // Moved, since what is in it belongs to the context's thread, its end included.
        post_to(waiting->context,
                [result, then = std::move(waiting->then)] { then(std::move(*result)); });
        waiting->promises->fulfilled();
      },
      new Waiting{g_main_context_ref(context), std::move(promises), field, std::move(then)},
      [](gpointer data) {
        auto* waiting = static_cast<Waiting*>(data);
        g_main_context_unref(waiting->context);
        delete waiting;
      });
}

}  // namespace webrtcupload
