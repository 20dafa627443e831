// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/abandon_outgoing.h"

#include <string>
#include <vector>

#include "gst/elements_made_by.h"
#include "gst/glib_ptr.h"

namespace webrtcupload {
namespace {

GstPtr<GstElement> find_sctpenc(GstElement* webrtcbin) {
  return element_made_by(GST_BIN(webrtcbin), "sctpenc");
}

// The pads by which the channels feed `sctpenc`: that of one channel, or all.
std::vector<GstPtr<GstPad>> channel_pads(GstElement* sctpenc, std::optional<int> channel_id) {
  std::vector<GstPtr<GstPad>> pads;
  GST_OBJECT_LOCK(sctpenc);
  for (GList* item = sctpenc->sinkpads; item; item = item->next) {
    GstPad* pad = GST_PAD(item->data);
    if (!channel_id || GST_OBJECT_NAME(pad) == "sink_" + std::to_string(*channel_id)) {
      pads.push_back(ref_gst(pad));
    }
  }
  GST_OBJECT_UNLOCK(sctpenc);
  return pads;
}

// What follows in the channel's appsrc goes nowhere. Without this it would be an error inside
// webrtcbin once the pad is gone, which 1.22 handles, but leaks the message of.
void drop_before(GstPad* pad) {
  if (const GstPtr<GstPad> peer{gst_pad_get_peer(pad)}) {
    gst_pad_add_probe(
        peer.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }, nullptr, nullptr);
  }
}

}  // namespace

void drop_outgoing(GstElement* webrtcbin, int channel_id) {
  if (!GST_IS_BIN(webrtcbin)) return;
  const GstPtr<GstElement> sctpenc = find_sctpenc(webrtcbin);
  if (!sctpenc) return;
  for (const auto& pad : channel_pads(sctpenc.get(), channel_id)) drop_before(pad.get());
}

void abandon_outgoing(GstElement* webrtcbin, std::optional<int> channel_id) {
  if (!GST_IS_BIN(webrtcbin)) return;
  const GstPtr<GstElement> sctpenc = find_sctpenc(webrtcbin);
  if (!sctpenc) return;
  for (const auto& pad : channel_pads(sctpenc.get(), channel_id)) {
    drop_before(pad.get());
    // As webrtcbin does to a channel that has drained. It wakes the chain function.
    gst_element_release_request_pad(sctpenc.get(), pad.get());
  }
}

void flush_outgoing(GstElement* webrtcbin, std::optional<int> channel_id) {
  if (!GST_IS_BIN(webrtcbin)) return;
  const GstPtr<GstElement> sctpenc = find_sctpenc(webrtcbin);
  if (!sctpenc) return;
  for (const auto& pad : channel_pads(sctpenc.get(), channel_id)) {
    gst_pad_send_event(pad.get(), gst_event_new_flush_start());
  }
}

}  // namespace webrtcupload
