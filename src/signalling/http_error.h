// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An HTTP reply that says no, in the JSON that clients of the drop-in endpoint expect.

#pragma once

#include <string>
#include <vector>

namespace webrtcupload {

struct HttpError {
  // There is no room for a further session. (429 alone may also be a quota that is used up.)
  static constexpr const char* kTooManySessions = "TooManySessions";
  // Nor for a further connection of this one.
  static constexpr const char* kTooManyConnections = "TooManyConnections";

  // One field of the request that has the wrong shape.
  struct Detail {
    std::vector<std::string> location;  // For example {"webrtc_offer", "sdp"}.
    std::string message;
    std::string type;  // "missing", "string_type", ...
  };

  unsigned status = 500;
  std::string error_type;
  std::string message;
  // Only with status 422, whose body is these.
  std::vector<Detail> detail;

  // Whether the same request may go better in a moment.
  [[nodiscard]] bool passes() const {
    return status == 503 || error_type == kTooManySessions || error_type == kTooManyConnections;
  }
  // A sentence, of which status 422 has several: the first.
  [[nodiscard]] const std::string& reason() const {
    return detail.empty() ? message : detail.front().message;
  }
  // {"message": ..., "error_type": ...}, or {"detail": [...]}.
  [[nodiscard]] std::string body() const;
};

// "Too Many Requests" for 429. libsoup's own table lacks some.
[[nodiscard]] const char* reason_phrase(unsigned status);

}  // namespace webrtcupload
