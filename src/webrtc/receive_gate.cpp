// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/receive_gate.h"

#include <utility>

#include "glib/debug.h"
#include "webrtc/inner_elements.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

std::unique_ptr<ReceiveGate> ReceiveGate::find(GstElement* webrtcbin) {
  auto pads = sink_pads_of(webrtcbin, inner::kSctpDecoder);
  if (pads.empty()) return nullptr;
  return std::unique_ptr<ReceiveGate>(new ReceiveGate(std::move(pads.front())));
}

ReceiveGate::ReceiveGate(GstPtr<GstPad> pad) : pad_(std::move(pad)) {}

ReceiveGate::~ReceiveGate() { open(); }

void ReceiveGate::close() {
  if (probe_) return;
  const auto mask = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | kPackets);
  // Without a callback the probe blocks for as long as it exists.
  GST_DEBUG_OBJECT(pad_.get(), "gate closed: the peer is held back");
  probe_ = gst_pad_add_probe(pad_.get(), mask, nullptr, nullptr, nullptr);
}

void ReceiveGate::open() {
  if (!probe_) return;
  gst_pad_remove_probe(pad_.get(), std::exchange(probe_, 0));
  GST_DEBUG_OBJECT(pad_.get(), "gate open");
}

}  // namespace webrtcupload
