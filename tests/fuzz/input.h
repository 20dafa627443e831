// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An input of the fuzzer as a source of numbers. Bytes that are missing at the end count as 0.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/message.h"

namespace webrtcupload::fuzz {

class Input {
 public:
  explicit Input(ByteView bytes) : bytes_(bytes) {}

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::uint32_t u32() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | byte();
    return value;
  }
  ByteView bytes(std::size_t wanted) {
    const ByteView taken = bytes_.first(std::min(wanted, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  ByteView bytes_;
};

}  // namespace webrtcupload::fuzz
