// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace webrtcupload {
namespace {

constexpr std::pair<ErrorCode, std::string_view> kTexts[] = {
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
    {ErrorCode::kTooSlow, "too-slow"},
    {ErrorCode::kTooLargePicture, "too-large-picture"},
    {ErrorCode::kTooLong, "too-long"},
    {ErrorCode::kTooManyFrames, "too-many-frames"},
    {ErrorCode::kTooManyStreams, "too-many-streams"},
    {ErrorCode::kTooMuchMetadata, "too-much-metadata"},
    {ErrorCode::kNotAVideo, "not-a-video"},
    {ErrorCode::kUntrustedPeer, "untrusted-peer"},
    {ErrorCode::kCorruptChunk, "corrupt-chunk"},
    {ErrorCode::kHashMismatch, "hash-mismatch"},
    {ErrorCode::kTooFragmented, "too-fragmented"},
    {ErrorCode::kCreditExceeded, "credit-exceeded"},
    {ErrorCode::kUnknownUpload, "unknown-upload"},
    {ErrorCode::kUnexpectedMessage, "unexpected-message"},
    {ErrorCode::kTooManyChannels, "too-many-channels"},
    {ErrorCode::kEmptyUpload, "empty-upload"},
    {ErrorCode::kUnknownSize, "unknown-size"},
    {ErrorCode::kSizeMismatch, "size-mismatch"},
};

// Peers, logs and applications match on these texts: a change here breaks them.
TEST(ErrorCode, TextFormIsStable) {
  for (const auto& [code, text] : kTexts) EXPECT_EQ(to_string(code), text);
  EXPECT_EQ(to_string(static_cast<ErrorCode>(99)), "unknown");
}

TEST(ErrorCode, EachIsInTheProtocolsDocumentation) {
  std::ifstream file(PROTOCOL_DOCUMENT);
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(document.empty()) << "cannot read " << PROTOCOL_DOCUMENT;
  for (const auto& [code, text] : kTexts) {
    EXPECT_NE(document.find("`" + std::string(text) + "`"), std::string::npos) << text;
  }
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
