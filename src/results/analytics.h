// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What neural networks and trackers say about a frame since GStreamer 1.24:
// GstAnalyticsRelationMeta, a graph of objects, classes and tracks, becomes detections.

#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "results/detections.h"

namespace webrtcupload {

// Appends to `result` until it has `max_detections`, and counts in `dropped` what is beyond.
// Nothing happens where this was built against a GStreamer without GstAnalytics.
//
// An object is a detection. What is related to it, in either direction and by whatever kind of
// relation, says more about it: a track its tracker_id, a classification its classifications. An
// object that another one contains, or that is part of another one, has that one as its parent. A
// classification without an object is about the whole frame.
void append_analytics_detections(GstBuffer* frame, std::size_t max_detections, std::size_t max_text,
                                 std::vector<Detection>& result, std::uint64_t& dropped);

}  // namespace webrtcupload
