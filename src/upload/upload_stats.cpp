// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_stats.h"

#include <string>

#include "glib/error_details.h"

namespace webrtcupload {
namespace {

// From `since` to `until`, or to this moment when that is not there yet; 0 when it has not begun.
guint64 span(std::optional<TimePoint> since, std::optional<TimePoint> until) {
  if (!since) return 0;
  return static_cast<guint64>((until.value_or(now()) - *since).count());
}

}  // namespace

GstStructurePtr make_upload_stats(const UploadLife& receiver, const std::optional<V2Facts>& facts,
                                  Inbox::Backlog backlog, UploadReader::Times processing,
                                  int socket_buffer_size, const std::optional<Error>& error) {
  const ReceiverStatistics& statistics = receiver.statistics();
  const guint64 transfer = span(statistics.first_chunk_at, statistics.completed_at);
  const double throughput = transfer > 0 ? static_cast<double>(statistics.bytes) * GST_SECOND /
                                               static_cast<double>(transfer)
                                         : 0;
  const std::string state(to_string(receiver.state()));
  GstStructurePtr stats(gst_structure_new(
      "application/x-webrtcupload-stats", "state", G_TYPE_STRING, state.c_str(), "bytes",
      G_TYPE_UINT64, statistics.bytes, "chunks-received", G_TYPE_UINT, statistics.chunks,
      "chunks-announced", G_TYPE_UINT, statistics.chunks_announced, "duplicates", G_TYPE_UINT64,
      statistics.duplicates, "rejected", G_TYPE_UINT64, statistics.rejected, "ignored",
      G_TYPE_UINT64, statistics.ignored, "keepalives", G_TYPE_UINT64, statistics.keepalives,
      "percent", G_TYPE_INT, receiver.percent(), "throughput", G_TYPE_DOUBLE, throughput, "backlog",
      G_TYPE_UINT64, backlog.now, "backlog-peak", G_TYPE_UINT64, backlog.peak, "socket-buffer-size",
      G_TYPE_INT, socket_buffer_size, "first-chunk-delay", G_TYPE_UINT64,
      span(statistics.opened_at, statistics.first_chunk_at), "transfer-time", G_TYPE_UINT64,
      transfer, "processing-time", G_TYPE_UINT64, span(processing.began_at, processing.ended_at),
      nullptr));
  const V2Facts none;
  const V2Facts& said = facts ? *facts : none;
  const std::string sum = said.sha256 ? to_hex(*said.sha256) : "";
  gst_structure_set(stats.get(), "protocol", G_TYPE_STRING,
                    to_string(facts ? WireVersion::kV2 : WireVersion::kV1), "connections",
                    G_TYPE_UINT, guint{said.connections}, "interrupted", G_TYPE_BOOLEAN,
                    gboolean{receiver.interrupted()}, "name", G_TYPE_STRING, said.name.c_str(),
                    "content-type", G_TYPE_STRING, said.content_type.c_str(), "sha256",
                    G_TYPE_STRING, sum.c_str(), nullptr);
  if (error) add_error(stats.get(), *error);
  return stats;
}

}  // namespace webrtcupload
