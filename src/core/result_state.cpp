// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_state.h"

namespace webrtcupload {

std::string_view to_string(ResultState state) {
  switch (state) {
    case ResultState::kSending:
      return "sending";
    case ResultState::kEnding:
      return "ending";
    case ResultState::kConcluding:
      return "concluding";
    case ResultState::kCompleted:
      return "completed";
    case ResultState::kClosing:
      return "closing";
  }
  return "unknown";
}

std::string_view to_string(ResultPeer state) {
  switch (state) {
    case ResultPeer::kAwaited:
      return "awaited";
    case ResultPeer::kOpen:
      return "open";
    case ResultPeer::kGone:
      return "gone";
    case ResultPeer::kDisconnected:
      return "disconnected";
  }
  return "unknown";
}

std::optional<ResultState> transition(ResultState from, ResultEvent event) {
  switch (event) {
    case ResultEvent::kFinish:
      if (from != ResultState::kSending) return std::nullopt;
      return ResultState::kEnding;
    case ResultEvent::kConclude:
      if (from != ResultState::kEnding) return std::nullopt;
      return ResultState::kConcluding;
    case ResultEvent::kComplete:
      if (from != ResultState::kEnding && from != ResultState::kConcluding) return std::nullopt;
      return ResultState::kCompleted;
    case ResultEvent::kClose:
      if (from == ResultState::kSending || from == ResultState::kClosing) return std::nullopt;
      return ResultState::kClosing;
  }
  return std::nullopt;
}

std::optional<ResultPeer> transition(ResultPeer from, ResultPeerEvent event) {
  switch (event) {
    case ResultPeerEvent::kOpens:
      if (from != ResultPeer::kAwaited) return std::nullopt;
      return ResultPeer::kOpen;
    case ResultPeerEvent::kLeaves:
      if (from != ResultPeer::kAwaited && from != ResultPeer::kOpen) return std::nullopt;
      return ResultPeer::kGone;
    case ResultPeerEvent::kDisconnects:
      if (from == ResultPeer::kDisconnected) return std::nullopt;
      return ResultPeer::kDisconnected;
  }
  return std::nullopt;
}

}  // namespace webrtcupload
