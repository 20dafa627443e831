// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/outgoing.h"

#include <optional>
#include <string>
#include <vector>

#include "glib/elements_in.h"
#include "glib/glib_ptr.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload {
namespace {

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
  if (const GstPtr<GstPad> peer{gst_pad_get_peer(pad)}) drop_at(peer.get());
}

}  // namespace

void drop_outgoing(GstElement* webrtcbin, int channel_id) {
  if (!GST_IS_BIN(webrtcbin)) return;
  const auto sctpenc = element_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder);
  if (!sctpenc) return;
  for (const auto& pad : channel_pads(sctpenc.get(), channel_id)) drop_before(pad.get());
}

void abandon_outgoing(GstElement* webrtcbin, int channel_id) {
  if (!GST_IS_BIN(webrtcbin)) return;
  const auto sctpenc = element_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder);
  if (!sctpenc) return;
  for (const auto& pad : channel_pads(sctpenc.get(), channel_id)) {
    drop_before(pad.get());
    // As webrtcbin does to a channel that has drained. It wakes the chain function.
    gst_element_release_request_pad(sctpenc.get(), pad.get());
  }
}

void stop_sending(GstElement* webrtcbin) {
  if (!GST_IS_BIN(webrtcbin)) return;
  for (const auto& pad : sink_pads_of(webrtcbin, inner::kDtlsEncoder)) {
    drop_at(pad.get());
    // The packet that came before the probe.
    wait_for_packet(pad.get());
  }
  for (const auto& sctpenc : elements_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder)) {
    // Flushing is what wakes it. Releasing the pads would too, but closed channels' pads are
    // released by webrtcbin itself at any moment, and a message half way to a pad that has gone is
    // an error that 1.22 leaks: hence the dropping, too.
    for (const auto& pad : channel_pads(sctpenc.get(), std::nullopt)) {
      drop_before(pad.get());
      gst_pad_send_event(pad.get(), gst_event_new_flush_start());
      // webrtcbin finds the pad that it releases by this link, and sctpenc releases it when it is
      // stopped.
      const GstPtr<GstPad> peer(gst_pad_get_peer(pad.get()));
      if (peer) gst_pad_unlink(peer.get(), pad.get());
    }
  }
}

}  // namespace webrtcupload
