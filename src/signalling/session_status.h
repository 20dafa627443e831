// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GET of a session's address: whether it runs, or how it ended. A client whose connection was
// interrupted asks, and need not wait for ICE to find out that nobody is there any more.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace webrtcupload {

struct SessionStatus {
  bool ended = false;
  // What follows is said of a session that has ended.
  bool done = false;
  std::string code;     // Empty if done.
  std::string message;  // Likewise.
  // Unset where they are not known.
  std::optional<std::uint64_t> frames;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> chunks;
  // Of a complete file in v2, as sha256sum prints it; otherwise empty.
  std::string sha256;
};

// {"state": "running" or "ended", "status": "done", "failed" or null, "code": ..., "message": ...,
// "frames": ..., "bytes": ..., "chunks": ..., "sha256": ...}
[[nodiscard]] std::string session_status_json(const SessionStatus& status);
// Nothing if it is something else.
[[nodiscard]] std::optional<SessionStatus> parse_session_status(std::string_view json);

// How sessions ended, kept for a while: the latest ones, each for some minutes.
class EndedSessions {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  struct Limits {
    std::size_t count = 256;
    std::chrono::seconds time{600};
    std::size_t message_bytes = 1024;  // Of each; the rest is cut off.
  };

  EndedSessions() = default;
  explicit EndedSessions(Limits limits) : limits_(limits) {}

  // `owner` is what a client has to show: a hash of its key.
  void add(std::string id, std::string owner, SessionStatus status, Moment now);
  // Nothing if there is none, or if it has another owner. Valid until the next add().
  [[nodiscard]] const SessionStatus* find(std::string_view id, std::string_view owner,
                                          Moment now) const;
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    std::string id;
    std::string owner;
    SessionStatus status;
    Moment at;
  };

  Limits limits_;
  std::deque<Session> sessions_;  // The oldest first.
};

// 128 random bits in hexadecimal digits; nothing if the system has none. Who knows a session's id
// may ask how it is, and end it, where no key is asked for.
[[nodiscard]] std::optional<std::string> make_session_id();

}  // namespace webrtcupload
