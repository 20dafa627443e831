// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/error.h"

namespace webrtcupload {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMalformedMessage:
      return "malformed-message";
    case ErrorCode::kTooManyChunks:
      return "too-many-chunks";
    case ErrorCode::kTotalChanged:
      return "total-changed";
    case ErrorCode::kBadIndex:
      return "bad-index";
    case ErrorCode::kChunkTooLarge:
      return "chunk-too-large";
    case ErrorCode::kTooLarge:
      return "too-large";
    case ErrorCode::kConflictingChunk:
      return "conflicting-chunk";
    case ErrorCode::kIdleTimeout:
      return "idle-timeout";
    case ErrorCode::kUploadTimeout:
      return "upload-timeout";
    case ErrorCode::kPeerGone:
      return "peer-gone";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kQuotaExceeded:
      return "quota-exceeded";
    case ErrorCode::kStorageFailed:
      return "storage-failed";
    case ErrorCode::kOverloaded:
      return "overloaded";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kTooSlow:
      return "too-slow";
    case ErrorCode::kTooLargePicture:
      return "too-large-picture";
    case ErrorCode::kTooLong:
      return "too-long";
    case ErrorCode::kTooManyFrames:
      return "too-many-frames";
    case ErrorCode::kTooManyStreams:
      return "too-many-streams";
    case ErrorCode::kTooMuchMetadata:
      return "too-much-metadata";
    case ErrorCode::kNotAVideo:
      return "not-a-video";
    case ErrorCode::kUntrustedPeer:
      return "untrusted-peer";
    case ErrorCode::kCorruptChunk:
      return "corrupt-chunk";
    case ErrorCode::kHashMismatch:
      return "hash-mismatch";
    case ErrorCode::kTooFragmented:
      return "too-fragmented";
    case ErrorCode::kCreditExceeded:
      return "credit-exceeded";
    case ErrorCode::kUnknownUpload:
      return "unknown-upload";
    case ErrorCode::kUnexpectedMessage:
      return "unexpected-message";
    case ErrorCode::kTooManyChannels:
      return "too-many-channels";
    case ErrorCode::kEmptyUpload:
      return "empty-upload";
    case ErrorCode::kUnknownSize:
      return "unknown-size";
    case ErrorCode::kSizeMismatch:
      return "size-mismatch";
  }
  return "unknown";
}

}  // namespace webrtcupload
