// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SHA-256 in hexadecimal, of what was sent and of what has arrived.

#pragma once

#include <glib.h>

#include <fstream>
#include <iterator>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload::test {

// Of a string, or of a vector of bytes.
template <typename Bytes>
[[nodiscard]] std::string sha256(const Bytes& bytes) {
  const GCharPtr text(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(bytes.data()), bytes.size()));
  return text.get();
}

// Of a file's bytes.
[[nodiscard]] inline std::string sha256_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return sha256(bytes);
}

}  // namespace webrtcupload::test
