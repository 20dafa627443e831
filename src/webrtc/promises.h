// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcbin promises: its answers to the steps of a negotiation, brought to one main context.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/mutex.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {

using DescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription,
                                       FunctionDeleter<gst_webrtc_session_description_free>>;

// Null if it cannot be parsed.
[[nodiscard]] DescriptionPtr parse_description(GstWebRTCSDPType type, const std::string& text);

// What a promise of webrtcbin came to.
struct PromiseResult {
  std::string problem;         // Empty if it went well.
  DescriptionPtr description;  // Of create-offer and create-answer.
};

// How many promises webrtcbin has still to fulfil. Stopped while it takes a description, it can
// forget a transport that it is just adding, which then runs for ever.
class Promises {
 public:
  void given();
  void fulfilled();
  // Until there is none, some seconds at most.
  void wait();

 private:
  Mutex mutex_;
  ConditionVariable changed_;
  int open_ GUARDED_BY(mutex_) = 0;
};

// Calls `then` on `context` when webrtcbin fulfilled the promise, which it does on its own thread.
// `field` names the description that comes with it; null: none.
[[nodiscard]] GstPromise* make_promise(GMainContext* context, std::shared_ptr<Promises> promises,
                                       const char* field, std::function<void(PromiseResult)> then);

}  // namespace webrtcupload
