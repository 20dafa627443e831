// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GStreamer 1.26's oriented boxes, which a program that is built against 1.24 finds at run time.

#pragma once

#include <gst/analytics/analytics.h>

extern "C" gboolean gst_analytics_relation_meta_add_oriented_od_mtd(GstAnalyticsRelationMeta*,
                                                                    GQuark, gint, gint, gint, gint,
                                                                    gfloat, gfloat,
                                                                    GstAnalyticsODMtd*)
    __attribute__((weak));

namespace webrtcupload::test {

// gst_analytics_relation_meta_add_oriented_od_mtd(), or null where GStreamer has none.
inline auto turned_box_function() {
  // The linker leaves a library out of which only weak names are used.
  static_cast<void>(gst_analytics_od_mtd_get_mtd_type());
  return &gst_analytics_relation_meta_add_oriented_od_mtd;
}

}  // namespace webrtcupload::test
