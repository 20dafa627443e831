// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/error.h"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <utility>

namespace webrtcupload {
namespace {

// Peers, logs and applications match on these texts: a change here breaks them.
TEST(ErrorCode, TextFormIsStable) {
  const std::pair<ErrorCode, std::string_view> texts[] = {
      {ErrorCode::kMalformedMessage, "malformed-message"},
      {ErrorCode::kTooManyChunks, "too-many-chunks"},
      {ErrorCode::kTotalChanged, "total-changed"},
      {ErrorCode::kBadIndex, "bad-index"},
      {ErrorCode::kChunkTooLarge, "chunk-too-large"},
      {ErrorCode::kTooLarge, "too-large"},
      {ErrorCode::kConflictingChunk, "conflicting-chunk"},
      {ErrorCode::kIdleTimeout, "idle-timeout"},
      {ErrorCode::kUploadTimeout, "upload-timeout"},
      {ErrorCode::kPeerGone, "peer-gone"},
      {ErrorCode::kUnauthorized, "unauthorized"},
      {ErrorCode::kQuotaExceeded, "quota-exceeded"},
      {ErrorCode::kStorageFailed, "storage-failed"},
      {ErrorCode::kOverloaded, "overloaded"},
      {ErrorCode::kCancelled, "cancelled"},
      {ErrorCode::kEmptyUpload, "empty-upload"},
      {ErrorCode::kUnknownSize, "unknown-size"},
      {ErrorCode::kSizeMismatch, "size-mismatch"},
  };
  for (const auto& [code, text] : texts) EXPECT_EQ(to_string(code), text);
  EXPECT_EQ(to_string(static_cast<ErrorCode>(99)), "unknown");
}

TEST(Result, HoldsAValueOrTheReason) {
  Result<std::unique_ptr<int>> good(std::make_unique<int>(7));
  ASSERT_TRUE(good);
  const std::unique_ptr<int> moved = std::move(good.value());
  EXPECT_EQ(*moved, 7);

  const Result<std::unique_ptr<int>> bad(Error{ErrorCode::kCancelled, "why"});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), (Error{ErrorCode::kCancelled, "why"}));
}

}  // namespace
}  // namespace webrtcupload
