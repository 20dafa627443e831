// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Telling the application: signals, messages on the bus.

#include <optional>
#include <string>

#include "core/spool.h"
#include "glib/debug.h"
#include "glib/error_details.h"
#include "upload/upload_source.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/pipeline_picture.h"
#include "webrtcupload/gstwebrtcuploaderror.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

constexpr char kProgressCode[] = "upload";

// The two enumerations are one: the public one in C, and the core's.
static_assert(static_cast<int>(ErrorCode::kMalformedMessage) ==
              GST_WEBRTC_UPLOAD_ERROR_MALFORMED_MESSAGE);
static_assert(static_cast<int>(ErrorCode::kPeerGone) == GST_WEBRTC_UPLOAD_ERROR_PEER_GONE);
static_assert(static_cast<int>(ErrorCode::kCancelled) == GST_WEBRTC_UPLOAD_ERROR_CANCELLED);
static_assert(static_cast<int>(ErrorCode::kTooSlow) == GST_WEBRTC_UPLOAD_ERROR_TOO_SLOW);
static_assert(static_cast<int>(ErrorCode::kTooMuchMetadata) ==
              GST_WEBRTC_UPLOAD_ERROR_TOO_MUCH_METADATA);
static_assert(static_cast<int>(ErrorCode::kNotAVideo) == GST_WEBRTC_UPLOAD_ERROR_NOT_A_VIDEO);
static_assert(static_cast<int>(ErrorCode::kUntrustedPeer) ==
              GST_WEBRTC_UPLOAD_ERROR_UNTRUSTED_PEER);
static_assert(static_cast<int>(ErrorCode::kCreditExceeded) ==
              GST_WEBRTC_UPLOAD_ERROR_CREDIT_EXCEEDED);
static_assert(static_cast<int>(ErrorCode::kSizeMismatch) == GST_WEBRTC_UPLOAD_ERROR_SIZE_MISMATCH);

// As near as GStreamer's own domains come to it.
int resource_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnauthorized:
    case ErrorCode::kQuotaExceeded:
    case ErrorCode::kUntrustedPeer:
      return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
    case ErrorCode::kStorageFailed:
      return GST_RESOURCE_ERROR_WRITE;
    default:
      return GST_RESOURCE_ERROR_READ;
  }
}

}  // namespace

void UploadSource::warn_of_memory(const std::string& spool_directory) {
  if (!Spool::is_in_memory(spool_directory) || warned_of_ == spool_directory) return;
  warned_of_ = spool_directory;
  const std::uint64_t most = with_settings([](const Settings& s) { return s.limits.max_size; });
  GST_ELEMENT_WARNING(
      element_, RESOURCE, SETTINGS,
      ("Uploads are kept in \"%s\", whose files are in memory: up to %" G_GUINT64_FORMAT
       " bytes of it for one upload. Set the property \"spool-directory\", or the environment "
       "variable TMPDIR, to a directory on a disk.",
       spool_directory.c_str(), most),
      (nullptr));
}

bool UploadSource::shutting_down() { return is_shutting_down(GST_ELEMENT(element_)); }

GObjectPtr<GObject> UploadSource::hold() { return ref_gobject(G_OBJECT(element_)); }

void UploadSource::state_changed() {
  g_object_notify_by_pspec(G_OBJECT(element_), state_property_);
}

bool UploadSource::authorize(const UploadRequest& request, const std::string& channel_label,
                             const std::string& channel_protocol) {
  const GstStructurePtr description(gst_structure_new(
      "application/x-webrtcupload-request", "channel-label", G_TYPE_STRING, channel_label.c_str(),
      "channel-protocol", G_TYPE_STRING, channel_protocol.c_str(), "chunks-announced", G_TYPE_UINT,
      request.total_chunks, "first-chunk-size", G_TYPE_UINT, request.first_chunk_size,
      "estimated-size", G_TYPE_UINT64, request.estimated_size, nullptr));
  if (version_of(channel_protocol) == WireVersion::kV2) {
    gst_structure_set(description.get(), "name", G_TYPE_STRING, request.name.c_str(),
                      "content-type", G_TYPE_STRING, request.content_type.c_str(), nullptr);
    if (request.size) {
      gst_structure_set(description.get(), "size", G_TYPE_UINT64, *request.size, nullptr);
    }
    if (request.sha256) {
      gst_structure_set(description.get(), "sha256", G_TYPE_STRING, to_hex(*request.sha256).c_str(),
                        nullptr);
    }
  }
  gboolean allowed = TRUE;
  g_signal_emit(element_, signals_.authorize, 0, description.get(), &allowed);
  return allowed;
}

bool UploadSource::check_quota() {
  gboolean within_quota = TRUE;
  g_signal_emit(element_, signals_.check_quota, 0, &within_quota);
  return within_quota;
}

void UploadSource::progressed(const UploadProgress& progress) {
  GstProgressType type{};
  std::string text;
  const ReceiverStatistics& statistics = progress.statistics;
  const std::string bytes = std::to_string(statistics.bytes) + " bytes";
  // v2 counts bytes only.
  const bool has_chunks = statistics.chunks_announced > 0;
  const std::string chunks = std::to_string(statistics.chunks);
  switch (progress.message) {
    case ProgressMessage::kStart:
      type = GST_PROGRESS_TYPE_START;
      text = "Upload started";
      break;
    case ProgressMessage::kContinue:
      type = GST_PROGRESS_TYPE_CONTINUE;
      text = std::to_string(progress.percent) + " %: ";
      if (has_chunks) {
        text += chunks + " of " + std::to_string(statistics.chunks_announced) + " chunks, ";
      }
      text += bytes;
      break;
    case ProgressMessage::kComplete:
      type = GST_PROGRESS_TYPE_COMPLETE;
      text = "Upload complete: " + bytes;
      if (has_chunks) text += " in " + chunks + " chunks";
      break;
    case ProgressMessage::kError:
    case ProgressMessage::kCanceled:
      type = progress.message == ProgressMessage::kError ? GST_PROGRESS_TYPE_ERROR
                                                         : GST_PROGRESS_TYPE_CANCELED;
      text = progress.error
                 ? std::string(to_string(progress.error->code)) + ": " + progress.error->message
                 : "The element stopped before the upload was complete";
      break;
  }
  gst_element_post_message(
      GST_ELEMENT(element_),
      gst_message_new_progress(GST_OBJECT(element_), type, kProgressCode, text.c_str()));
  if (progress.message == ProgressMessage::kComplete) {
    tell_size(statistics.bytes);
  } else if (!progress.error) {
    tell_size(size());
  }
}

void UploadSource::completed() {
  post_stats();
  g_signal_emit(element_, signals_.upload_complete, 0);
  let_pipeline_end();
}

void UploadSource::failing(const Error& error) {
  GstPtr<GstElement> webrtcbin;
  {
    const MutexLock lock(session_mutex_);
    webrtcbin = ref_gst(webrtcbin_.get());
  }
  draw_failure(GST_ELEMENT(element_), webrtcbin.get());
  post_stats();
  const GErrorPtr gerror(g_error_new_literal(GST_WEBRTC_UPLOAD_ERROR, static_cast<int>(error.code),
                                             error.message.c_str()));
  g_signal_emit(element_, signals_.upload_failed, 0, gerror.get());
}

void UploadSource::failed(const Error& error) { post(error); }

void UploadSource::post(const Error& error) const {
  const std::string code(to_string(error.code));
  // The upload as such has not failed: it has brought something else than a video.
  const bool is_refused = error.code == ErrorCode::kNotAVideo;
  gst_element_message_full_with_details(
      GST_ELEMENT(element_), GST_MESSAGE_ERROR, is_refused ? GST_STREAM_ERROR : GST_RESOURCE_ERROR,
      is_refused ? int{GST_STREAM_ERROR_WRONG_TYPE} : resource_error(error.code),
      is_refused ? g_strdup(error.message.c_str())
                 : g_strdup_printf("Upload failed (%s): %s.", code.c_str(), error.message.c_str()),
      nullptr, __FILE__, GST_FUNCTION, __LINE__, error_details(error));
}

void UploadSource::refuse(const std::string& why) {
  const Error error{ErrorCode::kNotAVideo, why};
  const auto running = session();
  if (running && running->refuse(error)) post(error);
}

void UploadSource::tell_size(std::optional<std::uint64_t> size) {
  if (!size || told_size_.exchange(*size) == *size) return;
  gst_element_post_message(GST_ELEMENT(element_),
                           gst_message_new_duration_changed(GST_OBJECT(element_)));
}

void UploadSource::post_stats() {
  gst_element_post_message(GST_ELEMENT(element_),
                           gst_message_new_element(GST_OBJECT(element_), stats().release()));
}

}  // namespace webrtcupload
