// SPDX-License-Identifier: LGPL-2.1-or-later
//
// In which order an upload tells how it gets on: one start, then any number of steps, then exactly
// one end. Whatever happens to the upload, and in whatever order, goes through here.
//
//   BEFORE --start--> UNDERWAY --continue--> UNDERWAY --complete, error or canceled--> ENDED

#pragma once

#include <optional>

namespace webrtcupload {

enum class ProgressMessage { kStart, kContinue, kComplete, kError, kCanceled };

enum class ProgressEvent {
  kFirstChunk,
  kMoreChunks,
  // All of it is there, and is fit to be read.
  kComplete,
  kFailure,
  // The application does not want it any more.
  kCancel,
  // The element stops. Of an upload that nothing was told about, nothing is told then.
  kStop
};

class ProgressSequence {
 public:
  // What is to be told since `event` has happened, if anything. When that is the start, the same
  // event may also owe an end: ask again.
  [[nodiscard]] std::optional<ProgressMessage> next(ProgressEvent event);

  [[nodiscard]] bool has_begun() const { return state_ != State::kBefore; }
  // The end is still to come.
  [[nodiscard]] bool is_underway() const { return state_ == State::kUnderway; }

 private:
  enum class State { kBefore, kUnderway, kEnded };
  State state_ = State::kBefore;
};

}  // namespace webrtcupload
