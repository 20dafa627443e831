// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Ranges in GoogleTest's messages.

#pragma once

#include <ostream>

#include "core/stored_ranges.h"

namespace webrtcupload {

inline void PrintTo(const Range& range, std::ostream* out) {
  *out << range.begin << ".." << range.end;
}

}  // namespace webrtcupload
