// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A test's way to a moment of our own threads: that at which they log.

#pragma once

#include <gst/gst.h>

#include <functional>
#include <string>
#include <utility>

namespace webrtcupload::test {

// Does something the first time that a line with these words is logged, on the thread that logs it.
class AtALine {
 public:
  AtALine(std::string words, std::function<void()> work)
      : words_(std::move(words)), work_(std::move(work)) {
    (gst_debug_add_log_function)(on_line, this, nullptr);
  }
  ~AtALine() { gst_debug_remove_log_function_by_data(this); }
  AtALine(const AtALine&) = delete;
  AtALine& operator=(const AtALine&) = delete;

 private:
  static void on_line(GstDebugCategory*, GstDebugLevel, const char*, const char*, int, GObject*,
                      GstDebugMessage* message, gpointer data) {
    auto* self = static_cast<AtALine*>(data);
    if (!self->work_ || self->words_ != gst_debug_message_get(message)) return;
    std::exchange(self->work_, nullptr)();
  }

  const std::string words_;
  std::function<void()> work_;
};

}  // namespace webrtcupload::test
