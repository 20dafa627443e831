// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/upload_state.h"

namespace webrtcupload {

std::string_view to_string(UploadState state) {
  switch (state) {
    case UploadState::kIdle:
      return "idle";
    case UploadState::kUploading:
      return "uploading";
    case UploadState::kComplete:
      return "complete";
    case UploadState::kProcessing:
      return "processing";
    case UploadState::kDone:
      return "done";
    case UploadState::kError:
      return "error";
  }
  return "unknown";
}

std::optional<UploadState> transition(UploadState from, UploadEvent event) {
  const auto only_from = [from](UploadState expected,
                                UploadState next) -> std::optional<UploadState> {
    if (from != expected) return std::nullopt;
    return next;
  };
  switch (event) {
    case UploadEvent::kFirstChunk:
      return only_from(UploadState::kIdle, UploadState::kUploading);
    case UploadEvent::kLastChunk:
      return only_from(UploadState::kUploading, UploadState::kComplete);
    case UploadEvent::kReadingStarts:
      return only_from(UploadState::kComplete, UploadState::kProcessing);
    case UploadEvent::kReadingEnds:
      return only_from(UploadState::kProcessing, UploadState::kDone);
    case UploadEvent::kFailure:
      if (from == UploadState::kDone || from == UploadState::kError) return std::nullopt;
      return UploadState::kError;
    case UploadEvent::kRefusal:
      // Whoever reads may have met the end of a short file before it looks at what it has read.
      if (from == UploadState::kError) return std::nullopt;
      return UploadState::kError;
  }
  return std::nullopt;
}

}  // namespace webrtcupload
