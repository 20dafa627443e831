// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the bytes of an upload are kept.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/error.h"
#include "core/message.h"

namespace webrtcupload {

// One thread writes, others may read at the same time what was written before. Every error has the
// code `storage-failed` and the system's reason in its text.
class Storage {
 public:
  virtual ~Storage() = default;

  // Sees to it that the first `size` bytes can be written later, as far as the storage can know.
  // Fails as well when there is no room now for the `expected` bytes that are likely to come, which
  // it does not take. Nothing on success.
  [[nodiscard]] virtual std::optional<Error> reserve(std::uint64_t size,
                                                     std::uint64_t expected) = 0;

  // Writes all of `bytes`, or fails. Nothing on success.
  [[nodiscard]] virtual std::optional<Error> write(std::uint64_t position, ByteView bytes) = 0;

  // Fills all of `out`, or fails; the range must have been written. Nothing on success.
  [[nodiscard]] virtual std::optional<Error> read(std::uint64_t position,
                                                  std::span<std::uint8_t> out) const = 0;
};

}  // namespace webrtcupload
