// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lines of the log that take more than a line to put together. `name` is the element's.

#pragma once

#include <optional>
#include <string>

#include "core/upload_state.h"

namespace webrtcupload {

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

}  // namespace webrtcupload
