// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An HTTP reply that says no, in the JSON that clients of the drop-in endpoint expect.

#pragma once

#include <string>
#include <vector>

namespace webrtcupload {

struct HttpError {
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

  // {"message": ..., "error_type": ...}, or {"detail": [...]}.
  [[nodiscard]] std::string body() const;
};

// "Too Many Requests" for 429. libsoup's own table lacks some.
[[nodiscard]] const char* reason_phrase(unsigned status);

}  // namespace webrtcupload
