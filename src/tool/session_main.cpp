// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session_main.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

#include "signalling/main_context.h"
#include "tool/event_output.h"
#include "tool/session.h"
#include "tool/session_types.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kMaxConfig = 1 << 20;
// Longer than any orderly end takes. The process must not outlive its purpose.
constexpr std::chrono::milliseconds kStopTimeout{8000};
// Between pipeline and parent only so much that neither waits for the other all the time.
constexpr EventOutput::Marks kMarks{.high = 64 * 1024, .low = 16 * 1024};

std::optional<std::string> read_config_line() {
  std::string line;
  char byte = 0;
  while (line.size() < kMaxConfig) {
    const ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    if (byte == '\n') return line;
    line += byte;
  }
  return std::nullopt;
}

// Returns where the protocol goes. Whatever else writes to standard output (a pipeline's elements,
// the libraries they use) shall end in the log.
int take_standard_output() {
  const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return fd;
}

struct Child {
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  std::shared_ptr<Session> session;
  Timer stop_timer{g_main_context_default()};
  bool over = false;

  ~Child() { g_main_loop_unref(loop); }

  void quit() {
    over = true;
    g_main_loop_quit(loop);
  }
};

gboolean on_parent(int, GIOCondition, gpointer data) {
  char buffer[256];
  const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
  if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN))) return G_SOURCE_CONTINUE;
  auto* child = static_cast<Child*>(data);
  child->stop_timer.start(kStopTimeout, [] { _exit(1); });
  child->session->stop("the server is stopping");
  return G_SOURCE_REMOVE;
}

}  // namespace

int session_main() {
  // Ctrl-C reaches every process of the terminal; the server then decides what ends, and how.
  signal(SIGINT, SIG_IGN);
  // The end of standard input says the same, but not to a process that hangs.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int output_fd = take_standard_output();
  const auto line = read_config_line();
  const auto config = line ? parse_config_line(*line) : std::nullopt;
  if (output_fd < 0 || !config) {
    g_printerr("webrtc-upload session: no configuration; this is for `webrtc-upload serve` only\n");
    return 2;
  }
  {
    EventOutput output(output_fd, kMarks);
    Child child;
    SessionObserver observer;
    observer.answered = [&output](const std::string& sdp) { output.write(answer_line(sdp)); };
    observer.refused = [&](const HttpError& error) {
      output.write(refused_line(error));
      child.quit();
    };
    observer.frame = [&output](const std::string& text) { output.write_patiently(text); };
    observer.ended = [&](const SessionEnd& end) {
      output.write(end_line(config->id, end));
      child.quit();
    };
    child.session = Session::create(g_main_context_default(), *config, std::move(observer));
    g_unix_fd_add(STDIN_FILENO, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), on_parent,
                  &child);
    child.session->start();
    if (!child.over) g_main_loop_run(child.loop);
    // The server reads when its own reader does, and kills whom it does not want to wait for.
    output.flush();
  }
  close(output_fd);
  gst_deinit();
  return 0;
}

}  // namespace webrtcupload
