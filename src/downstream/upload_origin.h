// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How an element finds out that what it is given comes out of an upload, whatever demuxers and
// queues are in between: a query that travels upstream, and that only webrtcupload answers.

#pragma once

#include <gst/gst.h>

#include <memory>

#include "glib/glib_ptr.h"

namespace webrtcupload {

inline constexpr char kUploadOrigin[] = "application/x-webrtcupload-origin";
inline constexpr char kUploadOriginField[] = "upload";

[[nodiscard]] inline bool asks_for_upload_origin(GstQuery* query) {
  const GstStructure* structure =
      GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM ? gst_query_get_structure(query) : nullptr;
  return structure && gst_structure_has_name(structure, kUploadOrigin);
}

// Of the upload's element: answers the query with itself.
inline void answer_upload_origin(GstQuery* query, GstElement* upload) {
  gst_structure_set(gst_query_writable_structure(query), kUploadOriginField, GST_TYPE_ELEMENT,
                    upload, nullptr);
}

// The element whose bytes come to `sink_pad`, or null where they are not those of an upload. Takes
// no lock that a streaming thread holds.
[[nodiscard]] inline GstPtr<GstElement> upload_before(GstPad* sink_pad) {
  const std::unique_ptr<GstQuery, decltype(&gst_query_unref)> query(
      gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kUploadOrigin)),
      &gst_query_unref);
  if (!gst_pad_peer_query(sink_pad, query.get())) return nullptr;
  GstElement* upload = nullptr;
  gst_structure_get(gst_query_get_structure(query.get()), kUploadOriginField, GST_TYPE_ELEMENT,
                    &upload, nullptr);
  return GstPtr<GstElement>(upload);
}

[[nodiscard]] inline bool comes_from_upload(GstPad* sink_pad) {
  return upload_before(sink_pad) != nullptr;
}

}  // namespace webrtcupload
