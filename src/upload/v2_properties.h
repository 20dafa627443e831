// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Properties of an upload in wire format v2 that an element around it has as well.

#pragma once

#include <glib-object.h>

namespace webrtcupload {

// Flags, with the bits of speaks().
[[nodiscard]] GParamSpec* protocols_spec();
// In nanoseconds.
[[nodiscard]] GParamSpec* resume_timeout_spec();
[[nodiscard]] GParamSpec* max_connections_spec();

}  // namespace webrtcupload
