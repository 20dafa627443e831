// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The states of one upload, and the only function that moves between them.
//
//   IDLE --first chunk--> UPLOADING --last chunk--> COMPLETE --reading starts--> PROCESSING
//   --reading ends--> DONE
//     \________________________\________________________\_____failure______________/--> ERROR

#pragma once

#include <optional>
#include <string_view>

namespace webrtcupload {

enum class UploadState { kIdle, kUploading, kComplete, kProcessing, kDone, kError };

enum class UploadEvent {
  kFirstChunk,
  kLastChunk,
  kReadingStarts,
  kReadingEnds,
  kFailure,
  kRefusal
};

// "idle", "uploading", ...
[[nodiscard]] std::string_view to_string(UploadState state);

// The state that follows, or nothing when `event` does not apply in `from` (a second reader, a
// failure after the end).
[[nodiscard]] std::optional<UploadState> transition(UploadState from, UploadEvent event);

}  // namespace webrtcupload
