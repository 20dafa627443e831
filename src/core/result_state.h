// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The states of the results of one peer, those of the peer itself, and the only functions that move
// between them.
//
//   SENDING --finish--> ENDING --conclude--> CONCLUDING --complete--> COMPLETED --close--> CLOSING
//                         \________________complete__________________/             /
//                         \_________________________\______________close__________/
//
//   AWAITED --opens--> OPEN --leaves--> GONE --disconnects--> DISCONNECTED
//     \__________________leaves________/
//     \__________________\________________disconnects________/

#pragma once

#include <optional>
#include <string_view>

namespace webrtcupload {

enum class ResultState {
  kSending,     // Results go out.
  kEnding,      // No more results.
  kConcluding,  // The worker sees to it that the peer gets the end.
  kCompleted,   // The completion message is sent.
  kClosing,     // We have closed the channel.
};

enum class ResultEvent { kFinish, kConclude, kComplete, kClose };

enum class ResultPeer {
  kAwaited,       // Has not opened its channel.
  kOpen,          // Takes what is sent.
  kGone,          // Its channel can send nothing any more, and it is not we who closed it.
  kDisconnected,  // Neither can the connection.
};

enum class ResultPeerEvent { kOpens, kLeaves, kDisconnects };

// "sending", "ending", ...; "awaited", "open", ...
[[nodiscard]] std::string_view to_string(ResultState state);
[[nodiscard]] std::string_view to_string(ResultPeer state);

// The state that follows, or nothing when the event does not apply in `from`.
[[nodiscard]] std::optional<ResultState> transition(ResultState from, ResultEvent event);
[[nodiscard]] std::optional<ResultPeer> transition(ResultPeer from, ResultPeerEvent event);

}  // namespace webrtcupload
