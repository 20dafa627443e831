// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What one upload session is asked to do and what it says, and both as JSON lines: the language
// between `webrtc-upload serve`, the child process of each session, and whoever reads serve's
// output.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signalling/http_error.h"

namespace webrtcupload {

struct SessionConfig {
  std::string id;
  std::string offer_sdp;
  // The operator's text: what follows "webrtcupload !".
  std::string pipeline;
  // Where ICE may listen; empty = every interface.
  std::vector<std::string> ice_addresses;
  // Unset = the element's default.
  std::optional<std::uint64_t> max_size;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> upload_timeout;
  std::optional<std::string> spool_directory;
  // For the connection after the answer, and then for the upload's begin.
  std::chrono::milliseconds connect_timeout{30000};
};

struct SessionEnd {
  bool done = false;
  // Stable, empty if done: an upload error's code, or "processing-failed", "connect-timeout",
  // "untrusted-peer", "cancelled", "crashed".
  std::string code;
  std::string message;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t chunks = 0;
};

// Where a session says things. `frame` comes on a streaming thread and may block, which is how a
// slow reader slows the analysis; the others come on the session's context. First either `answered`
// or `refused`, and nothing after `refused`; `ended` is the last.
struct SessionObserver {
  std::function<void(const std::string& answer_sdp)> answered;
  std::function<void(const HttpError&)> refused;
  std::function<void(const std::string& line)> frame;
  std::function<void(const SessionEnd&)> ended;
};

// Each line without its newline.
[[nodiscard]] std::string config_line(const SessionConfig& config);
[[nodiscard]] std::optional<SessionConfig> parse_config_line(std::string_view line);

[[nodiscard]] std::string answer_line(const std::string& sdp);
[[nodiscard]] std::string refused_line(const HttpError& error);
[[nodiscard]] std::string end_line(const std::string& session, const SessionEnd& end);

struct AnswerLine {
  std::string sdp;
};
struct FrameLine {};
struct BadLine {};
// What a child said. Frame lines are only recognised: they are passed on as they are.
using ChildLine = std::variant<BadLine, AnswerLine, HttpError, FrameLine, SessionEnd>;
[[nodiscard]] ChildLine parse_child_line(const std::string& session, std::string_view line);

}  // namespace webrtcupload
