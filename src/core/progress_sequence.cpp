// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/progress_sequence.h"

namespace webrtcupload {

std::optional<ProgressMessage> ProgressSequence::next(ProgressEvent event) {
  const auto end_with = [this](ProgressMessage message) {
    state_ = State::kEnded;
    return message;
  };
  switch (state_) {
    case State::kBefore:
      // More of what has not begun, and the end of it, are no news.
      if (event == ProgressEvent::kMoreChunks || event == ProgressEvent::kStop) break;
      state_ = State::kUnderway;
      return ProgressMessage::kStart;
    case State::kUnderway:
      switch (event) {
        case ProgressEvent::kFirstChunk:
          break;
        case ProgressEvent::kMoreChunks:
          return ProgressMessage::kContinue;
        case ProgressEvent::kComplete:
          return end_with(ProgressMessage::kComplete);
        case ProgressEvent::kFailure:
          return end_with(ProgressMessage::kError);
        case ProgressEvent::kCancel:
        case ProgressEvent::kStop:
          return end_with(ProgressMessage::kCanceled);
      }
      break;
    case State::kEnded:
      break;
  }
  return std::nullopt;
}

}  // namespace webrtcupload
