// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The files of the page that servers show at "/", which are part of the binary, with what HTTP has
// to say about each.

#pragma once

#include <optional>
#include <string_view>

namespace webrtcupload {

// Everything lives as long as the program.
struct WebFile {
  std::string_view bytes;
  std::string_view mime_type;  // The value of Content-Type.
  std::string_view etag;       // With its quotes. Another build's file has another one.
  // The value of Content-Security-Policy, or empty: only a document has one.
  std::string_view policy;
};

// By the path of the request: "/" is the page, "/upload.js" the client. Nothing for any other path.
// Any thread.
[[nodiscard]] std::optional<WebFile> web_file(std::string_view path);

}  // namespace webrtcupload
