// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An error in a GstStructure: the same two fields, both strings, in the details of messages and in
// the `stats` of every element.

#pragma once

#include <gst/gst.h>

#include "core/error.h"

namespace webrtcupload {

inline constexpr char kErrorCodeField[] = "error-code";
inline constexpr char kErrorMessageField[] = "error-message";

void add_error(GstStructure* structure, const Error& error);

// For the details of a GST_MESSAGE_ERROR or GST_MESSAGE_WARNING.
[[nodiscard]] GstStructure* error_details(const Error& error);

}  // namespace webrtcupload
