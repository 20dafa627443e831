// SPDX-License-Identifier: LGPL-2.1-or-later
//
// When something is shown, counted from the beginning of the file: GStreamer's stream time. The
// timestamps of buffers are on a line of their own, which may begin anywhere.

#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <limits>
#include <optional>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// In nanoseconds; below 0 is what comes before the beginning. None if nobody says.
using StreamTime = std::optional<std::int64_t>;

[[nodiscard]] inline StreamTime stream_time_of(const GstBuffer* buffer, const GstSegment& segment) {
  if (segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer)) return std::nullopt;
  guint64 time = 0;
  const int sign =
      gst_segment_to_stream_time_full(&segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), &time);
  // A file may name any time; what cannot be counted in nanoseconds is none.
  if (sign == 0 || time > std::numeric_limits<std::int64_t>::max() / 2) return std::nullopt;
  return sign * static_cast<std::int64_t>(time);
}

// Of a buffer that passes `pad`.
[[nodiscard]] inline StreamTime stream_time_of(const GstBuffer* buffer, GstPad* pad) {
  const GstEventPtr event(gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0));
  if (!event) return std::nullopt;
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event.get(), &segment);
  return stream_time_of(buffer, *segment);
}

}  // namespace webrtcupload
