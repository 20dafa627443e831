// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Holds back what a webrtcbin receives over SCTP; when, upload/inbox.h decides. webrtcbin itself
// never does: what its peer sends is queued without a bound.

#pragma once

#include <gst/gst.h>

#include <memory>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// While closed, a blocking probe keeps packets from entering the connection's SCTP decoder. No
// acknowledgement leaves then, so the peer stops when its window is full. GStreamer itself wakes a
// blocked pad when the pad is deactivated, so a closed gate never holds up a teardown. Several
// gates may sit on one connection; all have to be open for packets to pass.
class ReceiveGate {
 public:
  // Of `webrtcbin`'s SCTP decoder; null when there is none, which is so before a data channel was
  // negotiated. Takes no lock of webrtcbin's but its object lock.
  [[nodiscard]] static std::unique_ptr<ReceiveGate> find(GstElement* webrtcbin);

  // Opens.
  ~ReceiveGate();
  ReceiveGate(const ReceiveGate&) = delete;
  ReceiveGate& operator=(const ReceiveGate&) = delete;

  // Not thread-safe. Neither waits nor calls out, so both may be called under a lock and on any
  // thread.
  void close();
  void open();
  [[nodiscard]] bool closed() const { return probe_ != 0; }

 private:
  explicit ReceiveGate(GstPtr<GstPad> pad);

  const GstPtr<GstPad> pad_;
  gulong probe_ = 0;
};

}  // namespace webrtcupload
