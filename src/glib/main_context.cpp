// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/main_context.h"

#include <cstdint>
#include <memory>
#include <utility>

namespace webrtcupload {
namespace {

void attach(GSource* source, GMainContext* context, GSourceFunc callback,
            std::function<void()> function) {
  g_source_set_callback(source, callback, new std::function<void()>(std::move(function)),
                        [](gpointer data) { delete static_cast<std::function<void()>*>(data); });
  g_source_attach(source, context);
}

gboolean run_once(gpointer data) {
  (*static_cast<std::function<void()>*>(data))();
  return G_SOURCE_REMOVE;
}

}  // namespace

void post_to(GMainContext* context, std::function<void()> function) {
  GSource* source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  attach(source, context, run_once, std::move(function));
  g_source_unref(source);
}

Timer::~Timer() {
  cancel();
  g_main_context_unref(context_);
}

void Timer::start(std::chrono::milliseconds after, std::function<void()> function) {
  cancel();
  source_ = g_timeout_source_new(static_cast<guint>(std::max<std::int64_t>(after.count(), 0)));
  // The timer is disarmed before the function runs, which may arm or destroy it.
  attach(source_, context_, run_once, [this, function = std::move(function)] {
    GSource* fired = std::exchange(source_, nullptr);
    function();
    g_source_unref(fired);
  });
}

void Timer::cancel() {
  if (GSource* source = std::exchange(source_, nullptr)) {
    g_source_destroy(source);
    g_source_unref(source);
  }
}

}  // namespace webrtcupload
