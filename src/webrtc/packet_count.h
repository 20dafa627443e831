// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many packets of the data channels' connection have come from the other side. It acknowledges
// whatever it is sent, so a count that stands still then means that it is gone.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace webrtcupload {

class PacketCount {
 public:
  // Once webrtcbin is connected; the first call counts. Not under the PC lock.
  void begin(GstElement* webrtcbin);
  [[nodiscard]] std::uint64_t value() const { return count_ ? count_->load() : 0; }

 private:
  // Shared with a probe, which may outlive this. Null before begin().
  std::shared_ptr<std::atomic<std::uint64_t>> count_;
};

}  // namespace webrtcupload
