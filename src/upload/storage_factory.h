// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one place where webrtcupload gets its storage from, so that a test can put a slow or a
// failing one in.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/storage.h"

namespace webrtcupload {

using StorageFactory =
    std::function<Result<std::unique_ptr<Storage>>(const std::string& spool_directory)>;

// A Spool in the file `spool_fd`, or in one of its own in `spool_directory` if that is -1, unless a
// test has replaced the factory.
[[nodiscard]] Result<std::unique_ptr<Storage>> open_storage(const std::string& spool_directory,
                                                            int spool_fd);

// For tests; an empty one restores the default. Not while an element starts.
void replace_storage_factory(StorageFactory factory);

}  // namespace webrtcupload
