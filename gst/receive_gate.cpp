// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/receive_gate.h"

#include <string_view>
#include <utility>

namespace webrtcupload {
namespace {

// GCompareFunc for gst_iterator_find_custom(): 0 on the element whose factory is called `name`.
gint compare_factory_name(gconstpointer value, gconstpointer name) {
  auto* element = GST_ELEMENT(g_value_get_object(static_cast<const GValue*>(value)));
  GstElementFactory* factory = gst_element_get_factory(element);
  const bool found = factory && std::string_view(GST_OBJECT_NAME(factory)) ==
                                    std::string_view(static_cast<const char*>(name));
  return found ? 0 : 1;
}

GstPtr<GstElement> find_by_factory(GstBin* bin, const char* factory_name) {
  GstIterator* elements = gst_bin_iterate_recurse(bin);
  GValue found = G_VALUE_INIT;
  GstPtr<GstElement> result;
  if (gst_iterator_find_custom(elements, compare_factory_name, &found,
                               const_cast<char*>(factory_name))) {
    result.reset(GST_ELEMENT(g_value_dup_object(&found)));
    g_value_unset(&found);
  }
  gst_iterator_free(elements);
  return result;
}

}  // namespace

std::unique_ptr<ReceiveGate> ReceiveGate::find(GstElement* webrtcbin) {
  if (!GST_IS_BIN(webrtcbin)) return nullptr;
  const GstPtr<GstElement> decoder = find_by_factory(GST_BIN(webrtcbin), "sctpdec");
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
  probe_ = gst_pad_add_probe(pad_.get(), mask, nullptr, nullptr, nullptr);
}

void ReceiveGate::open() {
  if (probe_) gst_pad_remove_probe(pad_.get(), std::exchange(probe_, 0));
}

}  // namespace webrtcupload
