// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the control messages of wire format v2, see core/control.h.

#pragma once

#include <optional>
#include <string_view>

#include "core/control.h"
#include "core/error.h"

namespace webrtcupload {

// Nothing for an object of a type that is not known. An error, with code `malformed-message`, for
// what is no JSON object with a type, and for a known type with a field that is missing, of the
// wrong kind or out of bounds. Fields that are not known are ignored; so is where null is allowed
// whether a field is null or missing.
[[nodiscard]] Result<std::optional<ControlMessage>> read_control(std::string_view text);

}  // namespace webrtcupload
