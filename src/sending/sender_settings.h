// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the application wants of a webrtcuploadsink's upload.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace webrtcupload {

struct SenderSettings {
  // What the usual clients send.
  std::uint32_t chunk_size = 49152;
  // What the usual clients allow themselves, in each channel: five chunks, enough to never leave
  // SCTP without work.
  std::uint64_t buffer_limit = 262144;
  // 0: ask upstream.
  std::uint64_t size = 0;
  bool confirm = true;
  std::chrono::nanoseconds confirm_timeout = std::chrono::seconds(30);
  // A peer whose certificate is not the one that its description announced is sent nothing.
  bool check_certificate = true;
  // Of v2: 64 hexadecimal digits that the file has to have, or empty.
  std::string sha256;
  // Of v2: what the file is called and is, as the receiver is told; empty: nothing is said.
  std::string file_name;
  std::string content_type;
  // Of v2: how long an upload without a connection waits for another one.
  std::chrono::nanoseconds resume_timeout{0};
};

}  // namespace webrtcupload
