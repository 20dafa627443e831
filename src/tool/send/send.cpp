// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/send.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/wire_v1.h"
#include "json/printable.h"
#include "tool/common/options.h"
#include "tool/send/progress_display.h"
#include "tool/send/sender.h"

namespace webrtcupload {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
// How often an upload starts anew that the server has lost. A file that makes the server's decoder
// crash as it comes would do so each time.
constexpr int kMostAnew = 2;

struct RawOptions {
  char* to = nullptr;
  char* api_key = nullptr;
  char* workflow = nullptr;
  char* protocol = nullptr;
  char* connections = nullptr;
  int chunk_size = 0;
  gint64 buffer_limit = 0;
  double connect_timeout = 30;

  ~RawOptions() {
    for (char* text : {to, api_key, workflow, protocol, connections}) g_free(text);
  }
};

// The file's size, or nothing and why it cannot be uploaded.
std::optional<std::uint64_t> size_of(const std::string& file, std::string& problem) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) {
    problem = file + ": " + std::strerror(errno);
  } else if (S_ISDIR(info.st_mode)) {
    problem = file + " is a directory";
  } else if (!S_ISREG(info.st_mode)) {
    problem = file + " is not a regular file";
  } else if (info.st_size == 0) {
    problem = file + " is empty";
  } else if (access(file.c_str(), R_OK) != 0) {
    problem = file + ": " + std::strerror(errno);
  } else {
    return static_cast<std::uint64_t>(info.st_size);
  }
  return std::nullopt;
}

std::optional<WantedProtocol> parse_protocol(const std::string& text) {
  if (text == "auto") return WantedProtocol::kAuto;
  if (text == "v1") return WantedProtocol::kV1;
  if (text == "v2") return WantedProtocol::kV2;
  return std::nullopt;
}

std::optional<unsigned> parse_connections(const std::string& text, bool& is_wrong) {
  guint64 number = 0;
  is_wrong = text != "auto" &&
             !g_ascii_string_to_unsigned(text.c_str(), 10, 1, kMostConnections, &number, nullptr);
  if (is_wrong || text == "auto") return std::nullopt;
  return static_cast<unsigned>(number);
}

class Send {
 public:
  explicit Send(SenderOptions options) : options_(std::move(options)) { make_sender(); }
  ~Send() { g_main_loop_unref(loop_); }
  Send(const Send&) = delete;
  Send& operator=(const Send&) = delete;

  int run() {
    const guint on_int = g_unix_signal_add(SIGINT, on_signal, this);
    const guint on_term = g_unix_signal_add(SIGTERM, on_signal, this);
    sender_->start();
    if (!over_) g_main_loop_run(loop_);
    g_source_remove(on_int);
    g_source_remove(on_term);
    sender_.reset();
    return status_;
  }

 private:
  static gboolean on_signal(gpointer data) {
    auto* self = static_cast<Send*>(data);
    // The second time without waiting for anything.
    if (std::exchange(self->interrupted_, true)) _exit(kExitInterrupted);
    self->sender_->stop("interrupted");
    return G_SOURCE_CONTINUE;
  }

  void make_sender() {
    Sender::Events events;
    events.connected = [this] { on_connected(); };
    events.uploaded = [this] { on_uploaded(); };
    events.note = [this](const std::string& text) { display_.say(text); };
    events.ended = [this](const SenderEnd& end) { on_ended(end); };
    sender_ = Sender::create(context_, options_, std::move(events));
  }

  void on_connected() {
    begin_ = g_get_monotonic_time();
    show();
  }

  [[nodiscard]] ProgressState state() const {
    return {.bytes = sender_->bytes_across(),
            .total = options_.size.value_or(0),
            .elapsed = std::chrono::milliseconds((g_get_monotonic_time() - begin_) / 1000)};
  }

  void show() {
    if (const auto lost = sender_->interruption()) {
      display_.update(LossState{.attempt = lost->attempt, .left = lost->left});
    } else {
      display_.update(state());
    }
    redraw_.start(kRedraw, [this] { show(); });
  }

  void on_uploaded() {
    redraw_.cancel();
    ProgressState all = state();
    all.bytes = options_.size.value_or(sender_->bytes_taken());
    display_.update(all);
    display_.say("sent " + format_size(all.bytes) + " in " +
                 std::to_string(all.elapsed.count() / 1000) + "." +
                 std::to_string(all.elapsed.count() / 100 % 10) +
                 " s; waiting for the server to finish");
  }

  void on_ended(const SenderEnd& end) {
    redraw_.cancel();
    display_.clear();
    if (end.may_start_anew && !interrupted_ && begun_anew_ < kMostAnew) return begin_anew(end);
    over_ = true;
    if (interrupted_) {
      g_printerr("webrtc-upload send: interrupted\n");
      status_ = kExitInterrupted;
    } else if (!end.problem.empty()) {
      // It may be the server's words.
      g_printerr("webrtc-upload send: %s\n", printable(end.problem).c_str());
      status_ = kExitFailed;
    } else if (end.sha256.empty()) {
      display_.say("done: the server has analysed " + std::to_string(end.frames) + " frames");
    } else {
      display_.say("done: verified, sha256 " + end.sha256 + ", " + std::to_string(end.frames) +
                   " frames");
    }
    g_main_loop_quit(loop_);
  }

  void begin_anew(const SenderEnd& end) {
    ++begun_anew_;
    display_.begin_anew();
    display_.say("The server has lost the upload (" + printable(end.problem) + "), starting anew");
    make_sender();
    sender_->start();
  }

  const SenderOptions options_;
  GMainContext* const context_ = g_main_context_default();
  GMainLoop* loop_ = g_main_loop_new(nullptr, FALSE);
  ProgressDisplay display_{stdout};
  Timer redraw_{context_};
  std::shared_ptr<Sender> sender_;
  gint64 begin_ = 0;
  int begun_anew_ = 0;
  bool interrupted_ = false;
  bool over_ = false;
  int status_ = kExitOk;
};

}  // namespace

int send_main(int argc, char** argv) {
  RawOptions raw;
  const GOptionEntry entries[] = {
      {"to", 't', 0, G_OPTION_ARG_STRING, &raw.to, "The server, as http://HOST:PORT", "URL"},
      {"api-key", 'k', 0, G_OPTION_ARG_STRING, &raw.api_key, "Key to show to the server", "KEY"},
      {"workflow", 'w', 0, G_OPTION_ARG_STRING, &raw.workflow,
       "Name of the server's pipeline to use (its default)", "NAME"},
      {"protocol", 'p', 0, G_OPTION_ARG_STRING, &raw.protocol,
       "Wire format: v1, v2 (checked, with the server's progress), or auto, which is v2 where the "
       "server speaks it (auto)",
       "auto|v1|v2"},
      {"connections", 'c', 0, G_OPTION_ARG_STRING, &raw.connections,
       "Connections of one upload, with v2: a number up to 64, or auto, which is as many as make "
       "it "
       "faster, up to 8 (auto)",
       "N|auto"},
      {"chunk-size", 0, 0, G_OPTION_ARG_INT, &raw.chunk_size,
       "Payload of each message, in bytes (49152)", "BYTES"},
      {"buffer-limit", 0, 0, G_OPTION_ARG_INT64, &raw.buffer_limit,
       "How much may wait in the data channel, in bytes (262144)", "BYTES"},
      {"connect-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.connect_timeout,
       "Give up when no connection comes about in so long (30)", "SECONDS"},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr},
  };
  if (const std::string problem = parse_options(
          "send", "FILE --to URL - upload a video",
          "FILE can be \"-\", for standard input; the server has to speak v2 then.\n"
          "\n"
          "Exits with 0 when the server has all of the file and is done with it, with 1 when\n"
          "something failed, with 2 when the command line is wrong, with 130 after Ctrl-C.\n",
          entries, argc, argv);
      !problem.empty()) {
    return usage_error("send", problem);
  }
  if (argc < 2) return usage_error("send", "which file?");
  if (argc > 2) return usage_error("send", "one file at a time, please");
  if (!raw.to) return usage_error("send", "where to? (--to URL is missing)");
  if (raw.chunk_size < 0 || raw.chunk_size > int{kMaxChunkPayload}) {
    return usage_error("send",
                       "--chunk-size must be between 1 and " + std::to_string(kMaxChunkPayload));
  }
  if (raw.buffer_limit < 0) return usage_error("send", "--buffer-limit must not be negative");
  if (!(raw.connect_timeout > 0 && raw.connect_timeout < 1e6)) {
    return usage_error("send", "--connect-timeout is out of range");
  }
  // A line end from the file it was read from, say. It could not be in a header.
  if (raw.api_key && std::any_of(raw.api_key, raw.api_key + std::strlen(raw.api_key),
                                 [](char c) { return g_ascii_iscntrl(c); })) {
    return usage_error("send", "--api-key has a control character in it");
  }

  const auto protocol = parse_protocol(raw.protocol ? raw.protocol : "auto");
  if (!protocol) return usage_error("send", "--protocol must be auto, v1 or v2");
  const bool is_input = std::strcmp(argv[1], kStandardInput) == 0;
  if (is_input && protocol == WantedProtocol::kV1) {
    return usage_error("send",
                       "standard input has no size that is known beforehand, and wire format v1 "
                       "needs one");
  }

  bool is_wrong = false;
  const auto connections = parse_connections(raw.connections ? raw.connections : "auto", is_wrong);
  if (is_wrong) {
    return usage_error(
        "send", "--connections must be auto, or between 1 and " + std::to_string(kMostConnections));
  }
  if (connections.value_or(1) > 1 && protocol == WantedProtocol::kV1) {
    return usage_error("send", "wire format v1 takes one connection, so --connections needs v2");
  }

  SenderOptions options;
  options.connections = connections;
  options.file = argv[1];
  options.protocol = *protocol;
  std::string problem;
  const auto server = parse_server_url(raw.to, problem);
  if (!server) return usage_error("send", problem);
  if (!is_input) options.size = size_of(options.file, problem);
  // Before the server makes a session for nothing.
  if (problem.empty()) problem = missing_element("webrtcuploadsink");
  if (!problem.empty()) {
    g_printerr("webrtc-upload send: %s\n", problem.c_str());
    return kExitFailed;
  }
  options.server = *server;
  options.api_key = take_string(raw.api_key);
  options.workflow = take_string(raw.workflow);
  if (raw.chunk_size > 0) options.chunk_size = static_cast<unsigned>(raw.chunk_size);
  if (raw.buffer_limit > 0) options.buffer_limit = static_cast<std::uint64_t>(raw.buffer_limit);
  options.connect_timeout = from_seconds(raw.connect_timeout);
  return Send(std::move(options)).run();
}

}  // namespace webrtcupload
