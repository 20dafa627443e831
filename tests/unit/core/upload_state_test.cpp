// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/upload_state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace webrtcupload {
namespace {

using enum UploadState;
using enum UploadEvent;

constexpr UploadState kStates[] = {kIdle, kUploading, kComplete, kProcessing, kDone, kError};
constexpr UploadEvent kEvents[] = {kFirstChunk,  kLastChunk, kReadingStarts,
                                   kReadingEnds, kFailure,   kRefusal};

TEST(UploadState, EveryTransitionIsAsDrawnAndThereAreNoOthers) {
  const std::map<std::pair<UploadState, UploadEvent>, UploadState> drawn = {
      {{kIdle, kFirstChunk}, kUploading},           {{kUploading, kLastChunk}, kComplete},
      {{kComplete, kReadingStarts}, kProcessing},   {{kProcessing, kReadingEnds}, kDone},
      {{kIdle, kFailure}, UploadState::kError},     {{kUploading, kFailure}, UploadState::kError},
      {{kComplete, kFailure}, UploadState::kError}, {{kProcessing, kFailure}, UploadState::kError},
      {{kIdle, kRefusal}, UploadState::kError},     {{kUploading, kRefusal}, UploadState::kError},
      {{kComplete, kRefusal}, UploadState::kError}, {{kProcessing, kRefusal}, UploadState::kError},
      {{kDone, kRefusal}, UploadState::kError},
  };
  for (const UploadState from : kStates) {
    for (const UploadEvent event : kEvents) {
      SCOPED_TRACE(std::string(to_string(from)) + ", event " +
                   std::to_string(static_cast<int>(event)));
      const auto next = transition(from, event);
      const auto expected = drawn.find({from, event});
      ASSERT_EQ(next.has_value(), expected != drawn.end());
      if (next) {
        EXPECT_EQ(*next, expected->second);
      }
    }
  }
}

TEST(UploadState, ValuesOutsideTheEnumsLeadNowhere) {
  EXPECT_EQ(transition(kIdle, static_cast<UploadEvent>(99)), std::nullopt);
  EXPECT_EQ(to_string(static_cast<UploadState>(99)), "unknown");
}

TEST(UploadState, NamesAreTheDocumentedOnes) {
  EXPECT_EQ(to_string(kIdle), "idle");
  EXPECT_EQ(to_string(kUploading), "uploading");
  EXPECT_EQ(to_string(kComplete), "complete");
  EXPECT_EQ(to_string(kProcessing), "processing");
  EXPECT_EQ(to_string(kDone), "done");
  EXPECT_EQ(to_string(UploadState::kError), "error");
}

}  // namespace
}  // namespace webrtcupload
