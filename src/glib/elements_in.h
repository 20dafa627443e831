// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The elements of a bin, each with a reference, so that no lock is held while they are used. When
// some come or go meanwhile, the bin is looked through anew.

#pragma once

#include <gst/gst.h>

#include <utility>
#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// All that `iterator` gives, which is freed.
[[nodiscard]] inline std::vector<GstPtr<GstElement>> elements_of(GstIterator* iterator) {
  std::vector<GstPtr<GstElement>> elements;
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

// At any depth, with the bins that are in it.
[[nodiscard]] inline std::vector<GstPtr<GstElement>> elements_in(GstBin* bin) {
  return elements_of(gst_bin_iterate_recurse(bin));
}

[[nodiscard]] inline std::vector<GstPtr<GstElement>> sinks_in(GstBin* bin) {
  return elements_of(gst_bin_iterate_sinks(bin));
}

// At any depth.
[[nodiscard]] inline std::vector<GstPtr<GstElement>> elements_made_by(GstBin* bin,
                                                                      const char* factory) {
  return elements_of(gst_bin_iterate_all_by_element_factory_name(bin, factory));
}

// The first of them, or null.
[[nodiscard]] inline GstPtr<GstElement> element_made_by(GstBin* bin, const char* factory) {
  auto elements = elements_made_by(bin, factory);
  return elements.empty() ? nullptr : std::move(elements.front());
}

}  // namespace webrtcupload
