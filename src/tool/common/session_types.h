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

#include "json/json.h"
#include "signalling/http_error.h"
#include "tool/common/sandbox_config.h"
#include "webrtc/ice_network.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// GLib's timers count milliseconds in 32 bits. Nobody waits that long.
inline constexpr std::chrono::milliseconds kLongestTime{0x7fffffff};

struct SessionConfig {
  // Unguessable: whoever knows it may end the session.
  std::string id;
  std::string offer_sdp;
  // The operator's text: what follows "webrtcupload !".
  std::string pipeline;
  // Where ICE may listen; empty = every interface.
  std::vector<std::string> ice_addresses;
  IceNetwork ice_network;
  // Unset = the element's default.
  std::optional<std::uint64_t> max_size;
  std::optional<std::uint32_t> max_chunks;
  std::optional<std::uint64_t> min_rate;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> upload_timeout;
  std::optional<std::string> spool_directory;
  // Of the film; 0 = no limit.
  std::optional<std::uint64_t> max_pixels;
  std::optional<std::chrono::milliseconds> max_duration;
  std::optional<std::uint64_t> max_frames;
  std::optional<std::uint32_t> max_streams;
  // Of wire formats, as the upload's property of that name: bits.
  std::optional<unsigned> protocols;
  // How long an upload that has lost all its connections waits for its client.
  std::optional<std::chrono::milliseconds> resume_timeout;
  // Channels that one upload may come over at the same time.
  std::optional<std::uint32_t> max_connections;
  // An open file instead of one there, if the session's process has opened it. Not told to others.
  int spool_fd = -1;
  // Names of element factories, with commas between: the upload's properties of these names.
  std::string allow_elements;
  std::string deny_elements;
  // For the connection after the answer, and then for the upload's begin.
  std::chrono::milliseconds connect_timeout{30000};
  // Without progress (chunks, frames) for so long it ends with "stalled". Unset = never.
  std::optional<std::chrono::milliseconds> stall_timeout;

  // What the client asked for. The outputs' names have been checked.

  // Whether analysis is paced by the frames' timestamps, and may leave frames out.
  bool realtime = false;
  // The outputs in each result: empty = only the metadata, "*" = all but images.
  std::vector<std::string> data_output;
  // The image output that comes back as a video track. Unset = no track.
  std::optional<std::string> video_output;
  // "VP8" or "H264".
  std::string video_codec = "VP8";
  std::optional<double> declared_fps;
  // From the completed upload on; the end is then "timeout_reached". Unset = none.
  std::optional<std::chrono::milliseconds> processing_timeout;
  // The operator's and, where it is allowed, the client's.
  std::vector<IceServer> ice_servers;
  // Whether SessionObserver::ask is to be asked before the upload's first byte is stored, and
  // while it runs.
  bool asks_policy = false;
  // How often while it runs. Unset = the element's default.
  std::optional<std::chrono::milliseconds> quota_interval;
  // Bytes of private memory that a session's process may have. Unset = no limit.
  std::optional<std::uint64_t> memory_limit;
  // Of a session's process; one in the server's process has none.
  SandboxConfig sandbox;
};

// What is said of the film in an upload in v2. Empty where nothing is, and in v1.
struct FilmFacts {
  // By the client: checked for what they may contain, and still a stranger's words.
  std::string name;
  std::string content_type;
  // As sha256sum prints it.
  std::string sha256;

  bool operator==(const FilmFacts&) const = default;
};

// Each as a member of the same name, null where it is empty.
void set_film(JsonWriter& json, const FilmFacts& film);

// What a session asks whoever answers for its client.
struct PolicyQuestion {
  // "upload": before the first byte is stored; "running": at every quota interval.
  enum class Point { kUpload, kRunning };
  Point point = Point::kUpload;
  // As far as known: an upper bound from the announced chunks, and what has arrived.
  std::uint64_t bytes_announced = 0;
  std::uint64_t bytes_received = 0;
  // By the client, its hash as well.
  FilmFacts film;
};

[[nodiscard]] const char* to_string(PolicyQuestion::Point point);

struct PolicyAnswer {
  bool allowed = true;
  // If not: whether there is too much of something ("quota-exceeded") rather than a right missing
  // ("unauthorized"), and a sentence.
  bool over_quota = false;
  std::string message;
};

struct SessionEnd {
  bool done = false;
  // Stable, empty if done: an upload error's code, or "processing-failed", "connect-timeout",
  // "untrusted-peer", "too-many-channels", "cancelled", "crashed", "too-much-memory",
  // "sandbox-violation".
  std::string code;
  std::string message;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t chunks = 0;
  // The hash is the receiver's own, of a file that is complete.
  FilmFacts film;
};

// A connection of a session's beyond the one that its first offer has made: what a parent is told
// of it. At most one answer or refusal; the end of one that has been answered.
struct ConnectionEnded {};
struct ConnectionAnswer {
  std::string sdp;
};
using ConnectionNews = std::variant<ConnectionEnded, ConnectionAnswer, HttpError>;
// What the first one is called; of that, only the end is told.
inline constexpr const char* kFirstConnection = "";

// Where a session says things. `frame` comes on a streaming thread and may block, which is how a
// slow reader slows the analysis; the others come on the session's context. First either `answered`
// or `refused`, and nothing after `refused`; `ended` is the last.
inline constexpr std::chrono::seconds kLongestEnding{330};

struct SessionObserver {
  std::function<void(const std::string& answer_sdp)> answered;
  std::function<void(const HttpError&)> refused;
  std::function<void(const std::string& line)> frame;
  std::function<void(const SessionEnd&)> ended;
  // On the context, after `answered` and before `ended`.
  std::function<void(const std::string& connection, const ConnectionNews&)> connection;
  // The session begins to end, which takes no longer than kLongestEnding unless something in it
  // hangs. May be null.
  std::function<void()> ending;
  // On the upload's worker. Right before its first byte is stored; `joined` is whether further
  // connections may join it, and then: all its bytes are here, the film's headers are within the
  // limits, and the pipeline has read none. May be null.
  std::function<void(bool joined)> feeding;
  std::function<void()> fed;
  // Comes on any thread. `reply` is called once, on any thread; not any more after the end.
  std::function<void(const PolicyQuestion&, std::function<void(PolicyAnswer)> reply)> ask;
};

// Each line without its newline.
[[nodiscard]] std::string config_line(const SessionConfig& config);
[[nodiscard]] std::optional<SessionConfig> parse_config_line(std::string_view line);

[[nodiscard]] std::string answer_line(const std::string& sdp);
[[nodiscard]] std::string refused_line(const HttpError& error);
[[nodiscard]] std::string end_line(const std::string& session, const SessionEnd& end);

[[nodiscard]] std::string connection_line(const std::string& connection,
                                          const ConnectionNews& news);

// Tells a child to end, and why.
[[nodiscard]] std::string stop_line(const std::string& why);
// A further offer, and that the client is done with what it has made.
[[nodiscard]] std::string connect_line(const std::string& connection, const std::string& offer_sdp);
[[nodiscard]] std::string disconnect_line(const std::string& connection);

// A question of a child, and the reply on its standard input. `number` tells them apart.
[[nodiscard]] std::string ask_line(std::uint64_t number, const PolicyQuestion& question);
[[nodiscard]] std::string policy_line(std::uint64_t number, const PolicyAnswer& answer);

struct AnswerLine {
  std::string sdp;
};
struct AskLine {
  std::uint64_t number = 0;
  PolicyQuestion question;
};
struct ConnectionLine {
  std::string connection;
  ConnectionNews news;
};
struct FrameLine {};
struct BadLine {};
// What a child said. Frame lines are only recognised: they are passed on as they are.
using ChildLine =
    std::variant<BadLine, AnswerLine, HttpError, FrameLine, SessionEnd, AskLine, ConnectionLine>;
[[nodiscard]] ChildLine parse_child_line(const std::string& session, std::string_view line);

struct PolicyLine {
  std::uint64_t number = 0;
  PolicyAnswer answer;
};
struct StopLine {
  std::string why;
};
struct ConnectLine {
  std::string connection;
  std::string offer_sdp;
};
struct DisconnectLine {
  std::string connection;
};
// What a child hears after its configuration.
using ParentLine = std::variant<BadLine, PolicyLine, StopLine, ConnectLine, DisconnectLine>;
[[nodiscard]] ParentLine parse_parent_line(std::string_view line);

}  // namespace webrtcupload
