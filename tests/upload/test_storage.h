// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Disks that are slow, that stand still or that fail, where no real one can be made so on demand.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/error.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {

struct Access {
  bool is_write;
  std::uint64_t position;
  std::size_t size;
};

// Called before each access to a spool that is made from now on, on the thread that makes it: what
// it returns is that access' error, otherwise it is carried out. Null: as usual.
void intercept_storage(std::function<std::optional<Error>(const Access&)> intercept);

// Every write to a spool made from now on is preceded by `wait`, which is told its size.
void delay_storage(std::function<void(std::size_t)> wait);

// A disk at which everything stands still until it is let go.
[[nodiscard]] std::shared_ptr<Blocker> stop_storage();

}  // namespace webrtcupload::test
