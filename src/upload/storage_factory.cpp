// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/storage_factory.h"

#include <utility>

#include "core/spool.h"

namespace webrtcupload {
namespace {

StorageFactory& replacement() {
  static StorageFactory factory;
  return factory;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_storage(const std::string& spool_directory, int spool_fd) {
  if (replacement()) return replacement()(spool_directory);
  auto spool =
      spool_fd >= 0 ? Spool::on_file(spool_fd, spool_directory) : Spool::open(spool_directory);
  if (!spool) return spool.error();
  return std::unique_ptr<Storage>(std::move(spool.value()));
}

void replace_storage_factory(StorageFactory factory) { replacement() = std::move(factory); }

}  // namespace webrtcupload
