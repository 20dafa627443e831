// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a client is told of an error of the pipeline that works on its upload.

#pragma once

#include <gst/gst.h>

#include <string>

namespace webrtcupload {

// The code of an error of which nothing more is known.
inline constexpr char kProcessingFailed[] = "processing-failed";

struct ClientError {
  // kProcessingFailed, unless more is known.
  std::string code;
  // A sentence without anything of this machine; docs/security.md says what is left out.
  std::string message;
};

// Of an error message on a bus. Its details' `error-code` counts if one of our own elements posted
// it, or with `trusts_details`.
[[nodiscard]] ClientError error_for_client(GstMessage* message, bool trusts_details = false);

}  // namespace webrtcupload
