// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/upstream.h"

#include <algorithm>
#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

std::vector<GstPtr<GstPad>> sink_pads_of(GstElement* element) {
  std::vector<GstPtr<GstPad>> pads;
  GST_OBJECT_LOCK(element);
  for (GList* item = element->sinkpads; item; item = item->next) {
    pads.push_back(ref_gst(GST_PAD(item->data)));
  }
  GST_OBJECT_UNLOCK(element);
  return pads;
}

// The pad outside of its bin that feeds `pad`, a sink pad. Null if it is not linked.
GstPtr<GstPad> feeding_pad(GstPad* pad) {
  GstPtr<GstPad> peer(gst_pad_get_peer(pad));
  while (peer && GST_IS_PROXY_PAD(peer.get()) && !GST_IS_GHOST_PAD(peer.get())) {
    // The inner side of a bin's ghost pad: on with what that is linked to.
    const GstPtr<GstPad> ghost(GST_PAD(gst_proxy_pad_get_internal(GST_PROXY_PAD(peer.get()))));
    peer.reset(ghost ? gst_pad_get_peer(ghost.get()) : nullptr);
  }
  return peer;
}

}  // namespace

bool feeds(GstElement* element, GstElement* sink, bool (*passes)(GstElement*)) {
  // Breadth first; each element once, however many ways lead to it.
  std::vector<GstPtr<GstElement>> found;
  found.push_back(ref_gst(sink));
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const auto& pad : sink_pads_of(found[i].get())) {
      const GstPtr<GstPad> feeding = feeding_pad(pad.get());
      GstPtr<GstElement> upstream(feeding ? gst_pad_get_parent_element(feeding.get()) : nullptr);
      if (!upstream) continue;
      if (upstream.get() == element ||
          gst_object_has_as_ancestor(GST_OBJECT(element), GST_OBJECT(upstream.get()))) {
        return true;
      }
      if (passes && !passes(upstream.get())) continue;
      if (std::ranges::find(found, upstream) == found.end()) found.push_back(std::move(upstream));
    }
  }
  return false;
}

}  // namespace webrtcupload
