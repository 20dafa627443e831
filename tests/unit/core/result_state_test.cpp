// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace webrtcupload {
namespace {

template <typename State, typename Event, std::size_t kStates, std::size_t kEvents>
void expect_drawn(const State (&states)[kStates], const Event (&events)[kEvents],
                  const std::map<std::pair<State, Event>, State>& drawn) {
  for (const State from : states) {
    for (const Event event : events) {
      SCOPED_TRACE(std::string(to_string(from)) + ", event " +
                   std::to_string(static_cast<int>(event)));
      const auto next = transition(from, event);
      const auto expected = drawn.find({from, event});
      ASSERT_EQ(next.has_value(), expected != drawn.end());
      if (next) {
        EXPECT_EQ(*next, expected->second);
      }
    }
    EXPECT_EQ(transition(from, static_cast<Event>(99)), std::nullopt);
  }
}

TEST(ResultState, EveryTransitionIsAsDrawnAndThereAreNoOthers) {
  using enum ResultState;
  using enum ResultEvent;
  expect_drawn<ResultState, ResultEvent>({kSending, kEnding, kConcluding, kCompleted, kClosing},
                                         {kFinish, kConclude, kComplete, kClose},
                                         {
                                             {{kSending, kFinish}, kEnding},
                                             {{kEnding, kConclude}, kConcluding},
                                             {{kEnding, kComplete}, kCompleted},
                                             {{kConcluding, kComplete}, kCompleted},
                                             {{kEnding, kClose}, kClosing},
                                             {{kConcluding, kClose}, kClosing},
                                             {{kCompleted, kClose}, kClosing},
                                         });
}

TEST(ResultState, APeerComesAndGoesAsDrawn) {
  using enum ResultPeer;
  using enum ResultPeerEvent;
  expect_drawn<ResultPeer, ResultPeerEvent>({kAwaited, kOpen, kGone, kDisconnected},
                                            {kOpens, kLeaves, kDisconnects},
                                            {
                                                {{kAwaited, kOpens}, kOpen},
                                                {{kAwaited, kLeaves}, kGone},
                                                {{kOpen, kLeaves}, kGone},
                                                {{kAwaited, kDisconnects}, kDisconnected},
                                                {{kOpen, kDisconnects}, kDisconnected},
                                                {{kGone, kDisconnects}, kDisconnected},
                                            });
}

TEST(ResultState, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const int state : {0, 1, 2, 3, 4}) names.insert(to_string(static_cast<ResultState>(state)));
  for (const int state : {0, 1, 2, 3}) names.insert(to_string(static_cast<ResultPeer>(state)));
  EXPECT_EQ(names.size(), 9U);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(to_string(static_cast<ResultState>(99)), "unknown");
  EXPECT_EQ(to_string(static_cast<ResultPeer>(99)), "unknown");
}

}  // namespace
}  // namespace webrtcupload
