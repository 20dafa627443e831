// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/packet_count.h"

#include "webrtc/inner_elements.h"

namespace webrtcupload {

void PacketCount::begin(GstElement* webrtcbin) {
  if (seen_) return;
  seen_ = std::make_shared<Seen>();
  seen_->last = g_get_monotonic_time();
  using Handle = decltype(seen_);
  for (const auto& pad : sink_pads_of(webrtcbin, inner::kSctpDecoder)) {
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer data) {
          Seen& seen = **static_cast<Handle*>(data);
          ++seen.count;
          seen.last = g_get_monotonic_time();
          return GST_PAD_PROBE_OK;
        },
        new Handle(seen_), [](gpointer data) { delete static_cast<Handle*>(data); });
  }
}

}  // namespace webrtcupload
