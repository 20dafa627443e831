// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lines of the log that take more than a line to put together. `name` is the element's.

#pragma once

#include <optional>
#include <string>

#include "core/time_point.h"
#include "core/upload_limits.h"
#include "core/upload_state.h"

namespace webrtcupload {

// When an upload starts: what its peer may do.
void log_limits(const std::string& name, const Limits& limits);

// When its channel has opened: which times run from there. With `outlives_idle_peers` none does
// before the first chunk.
void log_opened(const std::string& name, const Limits& limits, bool outlives_idle_peers);

// Why a channel is kept, or not, when the upload stops.
struct StopReasons {
  UploadState state;
  bool has_channel;
  // The property data-channel names it.
  bool is_wanted;
  // Some of the file has left src.
  bool was_read;
  bool is_failing;
  bool is_kept;
};
void log_stop(const std::string& name, const StopReasons& reasons);

// What the handlers of authorize and check-quota said; nothing: they were not asked.
void log_answers(const std::string& name, std::optional<bool> allowed,
                 std::optional<bool> within_quota);
// The same of a later check-quota, of which the next is `interval` away.
void log_quota(const std::string& name, bool within_quota, Duration interval);

}  // namespace webrtcupload
