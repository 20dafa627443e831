// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An error in a GstStructure: the same two fields, both strings, in the details of messages and in
// the `stats` of every element.

#pragma once

#include <gst/gst.h>

#include <string>

#include "core/error.h"

namespace webrtcupload {

inline constexpr char kErrorCodeField[] = "error-code";
inline constexpr char kErrorMessageField[] = "error-message";

// An error whose code another program may have chosen, one that only that knows.
struct ErrorText {
  std::string code;
  std::string message;
};
[[nodiscard]] ErrorText error_text(const Error& error);

void add_error(GstStructure* structure, const ErrorText& error);
void add_error(GstStructure* structure, const Error& error);

// For the details of a GST_MESSAGE_ERROR or GST_MESSAGE_WARNING.
[[nodiscard]] GstStructure* error_details(const ErrorText& error);
[[nodiscard]] GstStructure* error_details(const Error& error);

}  // namespace webrtcupload
