// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many packets of the data channels' connection have come from the other side. It acknowledges
// whatever it is sent, so a count that stands still then means that it is gone. And for how long
// none has come.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace webrtcupload {

class PacketCount {
 public:
  // Once webrtcbin is connected; the first call counts. Not under the PC lock.
  void begin(GstElement* webrtcbin);
  [[nodiscard]] std::uint64_t value() const { return seen_ ? seen_->count.load() : 0; }
  // Since the last one, or since this was made.
  [[nodiscard]] std::chrono::microseconds silent_for() const {
    const gint64 last = seen_ ? seen_->last.load() : made_;
    return std::chrono::microseconds(g_get_monotonic_time() - last);
  }

 private:
  struct Seen {
    std::atomic<std::uint64_t> count = 0;
    std::atomic<gint64> last;
  };

  const gint64 made_ = g_get_monotonic_time();
  // Shared with a probe, which may outlive this. Null before begin().
  std::shared_ptr<Seen> seen_;
};

}  // namespace webrtcupload
