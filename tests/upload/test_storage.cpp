// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/test_storage.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "core/spool.h"
#include "glib/glib_ptr.h"
#include "upload/storage_factory.h"

namespace webrtcupload::test {
namespace {

using Intercept = std::function<std::optional<Error>(const Access&)>;

// A real spool.
class InterceptedStorage final : public Storage {
 public:
  InterceptedStorage(std::unique_ptr<Spool> spool, Intercept intercept)
      : spool_(std::move(spool)), intercept_(std::move(intercept)) {}

  std::optional<Error> reserve(std::uint64_t size, std::uint64_t expected) override {
    return spool_->reserve(size, expected);
  }
  std::optional<Error> write(std::uint64_t position, ByteView bytes) override {
    if (auto error = intercept_({true, position, bytes.size()})) return error;
    return spool_->write(position, bytes);
  }
  std::optional<Error> read(std::uint64_t position, std::span<std::uint8_t> out) const override {
    if (auto error = intercept_({false, position, out.size()})) return error;
    return spool_->read(position, out);
  }

 private:
  const std::unique_ptr<Spool> spool_;
  const Intercept intercept_;
};

}  // namespace

void intercept_storage(Intercept intercept) {
  if (!intercept) return replace_storage_factory(nullptr);
  replace_storage_factory([intercept = std::move(intercept)](
                              const std::string& directory) -> Result<std::unique_ptr<Storage>> {
    auto spool = Spool::open(directory);
    if (!spool) return spool.error();
    return std::unique_ptr<Storage>(
        std::make_unique<InterceptedStorage>(std::move(spool.value()), intercept));
  });
}

void delay_storage(std::function<void(std::size_t)> wait) {
  intercept_storage([wait = std::move(wait)](const Access& access) -> std::optional<Error> {
    if (access.is_write) wait(access.size);
    return std::nullopt;
  });
}

std::shared_ptr<Blocker> stop_storage() {
  const auto blocker = std::make_shared<Blocker>();
  delay_storage([blocker](std::size_t) { blocker->block(); });
  return blocker;
}

}  // namespace webrtcupload::test
