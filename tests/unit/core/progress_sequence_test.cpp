// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every order of events up to a length: what is told is one start, then exactly one end.

#include "core/progress_sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace webrtcupload {
namespace {

using Event = ProgressEvent;
using Message = ProgressMessage;

constexpr Event kEvents[] = {Event::kFirstChunk, Event::kMoreChunks, Event::kComplete,
                             Event::kFailure,    Event::kCancel,     Event::kStop};

// As its user does: after a start the same event is asked about again.
std::vector<Message> tell(ProgressSequence& sequence, Event event) {
  std::vector<Message> told;
  std::optional<Message> message;
  do {
    message = sequence.next(event);
    if (message) told.push_back(*message);
  } while (message == Message::kStart);
  return told;
}

std::vector<Message> tell_all(const std::vector<Event>& events) {
  ProgressSequence sequence;
  std::vector<Message> told;
  for (const Event event : events) {
    for (const Message message : tell(sequence, event)) told.push_back(message);
  }
  EXPECT_EQ(sequence.has_begun(), !told.empty());
  return told;
}

bool is_end(Message message) { return message != Message::kStart && message != Message::kContinue; }

TEST(ProgressSequence, IsOneStartAndThenOneEndInEveryOrderOfEvents) {
  constexpr int kLength = 6;
  int orders = 1;
  for (int i = 0; i < kLength; ++i) orders *= static_cast<int>(std::size(kEvents));
  for (int order = 0; order < orders; ++order) {
    std::vector<Event> events;
    bool ends = false;
    for (int i = 0, rest = order; i < kLength; ++i, rest /= static_cast<int>(std::size(kEvents))) {
      const Event event = kEvents[static_cast<std::size_t>(rest) % std::size(kEvents)];
      // A stop ends only what has begun.
      ends = ends || event == Event::kComplete || event == Event::kFailure ||
             event == Event::kCancel ||
             (event == Event::kStop && std::ranges::count(events, Event::kFirstChunk) > 0);
      events.push_back(event);
    }
    const std::vector<Message> told = tell_all(events);
    const bool begins = std::ranges::any_of(
        events, [](Event event) { return event != Event::kMoreChunks && event != Event::kStop; });
    ASSERT_EQ(!told.empty(), begins) << order;
    if (told.empty()) continue;
    ASSERT_EQ(told.front(), Message::kStart) << order;
    ASSERT_EQ(std::ranges::count(told, Message::kStart), 1) << order;
    ASSERT_EQ(std::ranges::count_if(told, is_end), ends ? 1 : 0) << order;
    ASSERT_EQ(is_end(told.back()), ends) << order;
  }
}

TEST(ProgressSequence, EndsAsWhatHappenedFirst) {
  using Messages = std::vector<Message>;
  EXPECT_EQ(tell_all({Event::kFirstChunk, Event::kMoreChunks, Event::kComplete, Event::kFailure}),
            (Messages{Message::kStart, Message::kContinue, Message::kComplete}));
  // A failure before the first chunk is stored, and one that comes while the application makes up
  // its mind whether there is to be a first chunk.
  EXPECT_EQ(tell_all({Event::kFailure}), (Messages{Message::kStart, Message::kError}));
  EXPECT_EQ(tell_all({Event::kFailure, Event::kFirstChunk}),
            (Messages{Message::kStart, Message::kError}));
  EXPECT_EQ(tell_all({Event::kFirstChunk, Event::kCancel, Event::kFailure}),
            (Messages{Message::kStart, Message::kCanceled}));
  EXPECT_EQ(tell_all({Event::kFirstChunk, Event::kStop, Event::kComplete}),
            (Messages{Message::kStart, Message::kCanceled}));
  // What stops before it has begun may begin later.
  EXPECT_EQ(tell_all({Event::kStop, Event::kFirstChunk, Event::kMoreChunks}),
            (Messages{Message::kStart, Message::kContinue}));
}

}  // namespace
}  // namespace webrtcupload
