// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/packet_count.h"

#include "glib/elements_made_by.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {

void PacketCount::begin(GstElement* webrtcbin) {
  if (count_) return;
  count_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  using Count = decltype(count_);
  for (const auto& sctpdec : elements_made_by(GST_BIN(webrtcbin), "sctpdec")) {
    const GstPtr<GstPad> pad(gst_element_get_static_pad(sctpdec.get(), "sink"));
    if (!pad) continue;
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
