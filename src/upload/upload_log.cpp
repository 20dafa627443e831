// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_log.h"

#include "glib/debug.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {
namespace {

const char* why_not_kept(const StopReasons& reasons) {
  if (!reasons.has_channel) return "there is none";
  if (!reasons.is_wanted) return "the property data-channel does not name it";
  if (reasons.was_read) return "some of the file has left src";
  if (reasons.state == UploadState::kError) return "the upload has failed";
  if (reasons.is_failing) return "the upload is about to fail";
  return "a handler of this upload stops it";
}

const char* answer(std::optional<bool> given) {
  if (!given) return "not asked";
  return *given ? "yes" : "no";
}

}  // namespace

void log_stop(const std::string& name, const StopReasons& reasons) {
  const char* state = to_string(reasons.state).data();
  if (reasons.is_kept) {
    GST_DEBUG_ID(name.c_str(), "stops in state %s; the channel is kept for the next start", state);
  } else {
    GST_DEBUG_ID(name.c_str(), "stops in state %s; the channel is not kept: %s", state,
                 why_not_kept(reasons));
  }
}

void log_answers(const std::string& name, std::optional<bool> allowed,
                 std::optional<bool> within_quota) {
  GST_DEBUG_ID(name.c_str(), "authorize: %s, check-quota: %s", answer(allowed),
               answer(within_quota));
}

}  // namespace webrtcupload
