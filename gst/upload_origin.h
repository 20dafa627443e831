// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How an element finds out that what it is given comes out of an upload, whatever demuxers and
// queues are in between: a query that travels upstream, and that only webrtcupload answers.

#pragma once

#include <gst/gst.h>

#include <memory>

namespace webrtcupload {

inline constexpr char kUploadOrigin[] = "application/x-webrtcupload-origin";

[[nodiscard]] inline bool asks_for_upload_origin(GstQuery* query) {
  const GstStructure* structure =
      GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM ? gst_query_get_structure(query) : nullptr;
  return structure && gst_structure_has_name(structure, kUploadOrigin);
}

// Of the peer of `sink_pad`. Takes no lock that a streaming thread holds.
[[nodiscard]] inline bool comes_from_upload(GstPad* sink_pad) {
  const std::unique_ptr<GstQuery, decltype(&gst_query_unref)> query(
      gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kUploadOrigin)),
      &gst_query_unref);
  return gst_pad_peer_query(sink_pad, query.get());
}

}  // namespace webrtcupload
