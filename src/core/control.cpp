// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/control.h"

#include <algorithm>

#include "core/hex.h"
#include "core/wire_v2.h"

namespace webrtcupload {

std::optional<UploadId> UploadId::parse(std::string_view text) {
  Bytes bytes;
  if (!parse_hex(text, bytes)) return std::nullopt;
  return UploadId(bytes);
}

std::string UploadId::text() const { return to_hex(bytes_); }

bool UploadId::operator==(const UploadId& other) const {
  unsigned difference = 0;
  for (std::size_t i = 0; i < bytes_.size(); ++i) difference |= bytes_[i] ^ other.bytes_[i];
  return difference == 0;
}

namespace control {

std::size_t most_ranges(std::uint64_t end) {
  // What else is in it, with the largest numbers, has below 512 bytes.
  constexpr std::size_t kRoom = kMaxControlSize - 512;
  // "[begin,end],"
  const std::size_t range = 2 * std::to_string(end).size() + 4;
  return std::min(kMaxHave, kRoom / range);
}

}  // namespace control
}  // namespace webrtcupload
