// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How code on GStreamer's threads hands work to the one GMainContext that owns a session, and
// time-outs on that context.

#pragma once

#include <glib.h>

#include <chrono>
#include <functional>

namespace webrtcupload {

// Runs `function` later on `context`, from whichever thread owns it; never inline, so it may be
// called with any lock held.
void post_to(GMainContext* context, std::function<void()> function);

// One time-out at a time. Belongs to one context's thread; its destructor cancels.
class Timer {
 public:
  explicit Timer(GMainContext* context) : context_(g_main_context_ref(context)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces whatever was armed. The timer may be destroyed from within `function`.
  void start(std::chrono::milliseconds after, std::function<void()> function);
  void cancel();
  [[nodiscard]] bool armed() const { return source_ != nullptr; }

 private:
  GMainContext* context_;
  GSource* source_ = nullptr;
};

}  // namespace webrtcupload
