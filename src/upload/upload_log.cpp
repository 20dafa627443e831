// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_log.h"

#include <chrono>

#include "glib/debug.h"
#include "glib/glib_ptr.h"

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

// 0 is no limit, for all of these.
std::string seconds(Duration duration) {
  if (duration <= Duration::zero()) return "none";
  const GCharPtr text(g_strdup_printf("%.3g s", std::chrono::duration<double>(duration).count()));
  return text.get();
}

}  // namespace

void log_limits(const std::string& name, const Limits& limits) {
  GST_DEBUG_ID(name.c_str(),
               "limits: max-size %" G_GUINT64_FORMAT
               ", %u chunks of %u bytes, upload-timeout %s, "
               "idle-timeout %s, min-rate %" G_GUINT64_FORMAT,
               guint64{limits.max_size}, guint{chunk_limit(limits)}, guint{limits.max_chunk_size},
               seconds(limits.upload_timeout).c_str(), seconds(limits.idle_timeout).c_str(),
               guint64{limits.min_rate});
}

void log_opened(const std::string& name, const Limits& limits, bool outlives_idle_peers) {
  if (outlives_idle_peers) {
    GST_DEBUG_ID(name.c_str(), "the channel is open; no time runs before the first chunk");
  } else {
    GST_DEBUG_ID(name.c_str(), "the channel is open; idle-timeout (%s) and upload-timeout (%s) run",
                 seconds(limits.idle_timeout).c_str(), seconds(limits.upload_timeout).c_str());
  }
}

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

void log_quota(const std::string& name, bool within_quota, Duration interval) {
  GST_DEBUG_ID(name.c_str(), "check-quota: %s, asked again in %s", answer(within_quota),
               seconds(interval).c_str());
}

}  // namespace webrtcupload
