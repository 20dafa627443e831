// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/receive_gate.h"

#include <utility>

#include "glib/debug.h"
#include "glib/elements_made_by.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

std::unique_ptr<ReceiveGate> ReceiveGate::find(GstElement* webrtcbin) {
  if (!GST_IS_BIN(webrtcbin)) return nullptr;
  const GstPtr<GstElement> decoder = element_made_by(GST_BIN(webrtcbin), "sctpdec");
  if (!decoder) return nullptr;
  GstPtr<GstPad> pad(gst_element_get_static_pad(decoder.get(), "sink"));
  if (!pad) return nullptr;
  return std::unique_ptr<ReceiveGate>(new ReceiveGate(std::move(pad)));
}

ReceiveGate::ReceiveGate(GstPtr<GstPad> pad) : pad_(std::move(pad)) {}

ReceiveGate::~ReceiveGate() { open(); }

void ReceiveGate::close() {
  if (probe_) return;
  const auto mask = static_cast<GstPadProbeType>(
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
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
