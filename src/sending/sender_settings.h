// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the application wants of a webrtcuploadsink's upload.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace webrtcupload {

struct SenderSettings {
  std::uint32_t chunk_size = 0;
  std::uint64_t buffer_limit = 0;
  // 0: ask upstream.
  std::uint64_t size = 0;
  bool confirm = false;
  std::chrono::nanoseconds confirm_timeout{0};
  // A peer whose certificate is not the one that its description announced is sent nothing.
  bool check_certificate = true;
  // Of v2: 64 hexadecimal digits that the file has to have, or empty.
  std::string sha256;
};

}  // namespace webrtcupload
