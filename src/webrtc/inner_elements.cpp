// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/inner_elements.h"

#include <utility>

#include "glib/elements_in.h"

namespace webrtcupload {

std::vector<GstPtr<GstPad>> sink_pads_of(GstElement* webrtcbin, const char* factory) {
  std::vector<GstPtr<GstPad>> pads;
  if (!GST_IS_BIN(webrtcbin)) return pads;
  for (const auto& element : elements_made_by(GST_BIN(webrtcbin), factory)) {
    GstPtr<GstPad> pad(gst_element_get_static_pad(element.get(), "sink"));
    if (pad) pads.push_back(std::move(pad));
  }
  return pads;
}

void drop_at(GstPad* pad) {
  gst_pad_add_probe(
      pad, kPackets, [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; },
      nullptr, nullptr);
}

void wait_for_packet(GstPad* pad) {
  GST_PAD_STREAM_LOCK(pad);
  GST_PAD_STREAM_UNLOCK(pad);
}

}  // namespace webrtcupload
