// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/test_storage.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "core/spool.h"
#include "glib/glib_ptr.h"
#include "gst/webrtcupload/gstwebrtcupload.h"
#include "gst/webrtcupload/gstwebrtcuploadsink.h"
#include "upload/storage_factory.h"

namespace webrtcupload::test {
namespace {

using Intercept = std::function<std::optional<Error>(const Access&)>;

// A real spool.
class InterceptedStorage final : public Storage {
 public:
  InterceptedStorage(std::unique_ptr<Spool> spool, Intercept intercept)
      : spool_(std::move(spool)), intercept_(std::move(intercept)) {}

  std::optional<Error> reserve(std::uint64_t size) override { return spool_->reserve(size); }
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

void use_own_elements() {
  ASSERT_TRUE(GST_ELEMENT_REGISTER(webrtcupload, nullptr));
  ASSERT_TRUE(GST_ELEMENT_REGISTER(webrtcuploadsink, nullptr));
  for (const char* name : {"webrtcupload", "webrtcuploadsink"}) {
    // The registry's, for the life of the process.
    const GstPtr<GstElementFactory> factory(gst_element_factory_find(name));
    GST_OBJECT_FLAG_SET(factory.get(), GST_OBJECT_FLAG_MAY_BE_LEAKED);
  }
}

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

}  // namespace webrtcupload::test
