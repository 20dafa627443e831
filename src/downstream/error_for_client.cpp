// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/error_for_client.h"

#include "core/error.h"
#include "core/redaction.h"
#include "glib/error_details.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

constexpr char kNoVideo[] = "this is not a video";
constexpr char kFailed[] = "the pipeline failed";

bool says_no_video(const GError* error) {
  return g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_TYPE_NOT_FOUND) ||
         g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE);
}

// Errors of the stream speak of the file, and so does a missing decoder. Others speak of this
// machine, in words that anybody may have written: they are told as GStreamer calls such errors in
// general.
std::string sentence_of(const GError* error) {
  if (error->domain == GST_STREAM_ERROR ||
      g_error_matches(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN)) {
    return text_for_client(error->message);
  }
  if (error->domain == GST_CORE_ERROR || error->domain == GST_LIBRARY_ERROR ||
      error->domain == GST_RESOURCE_ERROR) {
    const GCharPtr general(gst_error_get_message(error->domain, error->code));
    return general ? general.get() : "";
  }
  return "";
}

}  // namespace

ClientError error_for_client(GstMessage* message, bool trusts_details) {
  GError* raw = nullptr;
  gst_message_parse_error(message, &raw, nullptr);
  const GErrorPtr error(raw);
  const GstStructure* details = nullptr;
  gst_message_parse_error_details(message, &details);
  GstObject* source = GST_MESSAGE_SRC(message);
  const bool is_ours = source && g_str_has_prefix(G_OBJECT_TYPE_NAME(source), "GstWebrtcUpload");
  const char* code = details && (is_ours || trusts_details)
                         ? gst_structure_get_string(details, kErrorCodeField)
                         : nullptr;
  ClientError told{code ? code : kProcessingFailed, ""};
  if (error && code) {
    told.message = text_for_client(error->message);
  } else if (error && says_no_video(error.get())) {
    told = {std::string(to_string(ErrorCode::kNotAVideo)), kNoVideo};
  } else if (error) {
    told.message = sentence_of(error.get());
  }
  if (told.message.empty()) told.message = kFailed;
  return told;
}

}  // namespace webrtcupload
