// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/packet_count.h"

#include "webrtc/inner_elements.h"

namespace webrtcupload {

void PacketCount::begin(GstElement* webrtcbin) {
  if (count_) return;
  count_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  using Count = decltype(count_);
  for (const auto& pad : sink_pads_of(webrtcbin, inner::kSctpDecoder)) {
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
          ++**static_cast<Count*>(count);
          return GST_PAD_PROBE_OK;
        },
        new Count(count_), [](gpointer count) { delete static_cast<Count*>(count); });
  }
}

}  // namespace webrtcupload
