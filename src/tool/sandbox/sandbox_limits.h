// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much of the machine's time and disk a session's process may use, whatever runs in it.

#pragma once

#include <cstdint>
#include <optional>

#include "tool/common/session_types.h"

namespace webrtcupload {

// Seconds of processor time, of all its threads together: what it cannot reach while its own timers
// work. Unset = no limit, if there is none on the time of the analysis.
[[nodiscard]] std::optional<std::uint64_t> most_processor_time(const SessionConfig& config,
                                                               std::uint64_t processors);

// Bytes that a file which it writes may have; `log_size` are those of the log, if that is a file.
// Unset = no limit, if the pipeline writes files of its own.
[[nodiscard]] std::optional<std::uint64_t> largest_file(const SessionConfig& config,
                                                        std::uint64_t log_size);

// Of this process. A limit that cannot be set is said in the log.
void limit_time_and_files(const SessionConfig& config);

}  // namespace webrtcupload
