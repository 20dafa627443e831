// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Finding elements in a bin that may change meanwhile, as webrtcbin does on its own threads. A bare
// gst_iterator_next() then says RESYNC, which is easily taken for the end.

#pragma once

#include <gst/gst.h>

#include <utility>
#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// All elements in `bin`, at any depth, that the factory with this name has made.
[[nodiscard]] inline std::vector<GstPtr<GstElement>> elements_made_by(GstBin* bin,
                                                                      const char* factory) {
  std::vector<GstPtr<GstElement>> elements;
  GstIterator* iterator = gst_bin_iterate_all_by_element_factory_name(bin, factory);
  GValue item = G_VALUE_INIT;
  for (GstIteratorResult result = GST_ITERATOR_OK;
       result == GST_ITERATOR_OK || result == GST_ITERATOR_RESYNC;) {
    result = gst_iterator_next(iterator, &item);
    if (result == GST_ITERATOR_RESYNC) {
      elements.clear();
      gst_iterator_resync(iterator);
    } else if (result == GST_ITERATOR_OK) {
      elements.push_back(ref_gst(GST_ELEMENT(g_value_get_object(&item))));
      g_value_unset(&item);
    }
  }
  gst_iterator_free(iterator);
  return elements;
}

// The first of them, or null.
[[nodiscard]] inline GstPtr<GstElement> element_made_by(GstBin* bin, const char* factory) {
  auto elements = elements_made_by(bin, factory);
  return elements.empty() ? nullptr : std::move(elements.front());
}

}  // namespace webrtcupload
