// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Writes the control messages of wire format v2, see core/control.h.

#pragma once

#include <string>

#include "core/control.h"

namespace webrtcupload {

// A JSON object on one line. Texts are cut where read_control() would not take them whole, and have
// a "?" for each control character; it is the caller's part that numbers are below kNumberLimit.
[[nodiscard]] std::string write_control(const ControlMessage& message);

}  // namespace webrtcupload
