// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session_main.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "core/mutex.h"
#include "core/spool.h"
#include "glib/main_context.h"
#include "tool/common/event_output.h"
#include "tool/common/session_types.h"
#include "tool/sandbox/sandbox.h"
#include "tool/session/session.h"
#include "tool/session/session_memory.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kMaxConfig = 1 << 20;
constexpr rlim_t kMaxDescriptors = 1024;
// AddressSanitizer reserves some 14 TiB of memory that may be written to. With a limit below that
// nothing more could be had, and every session would end at once.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kReservedBySanitizer = std::uint64_t{1} << 45U;
#else
constexpr std::uint64_t kReservedBySanitizer = 0;
#endif
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

// What the session asks of the policy, which is the server's. `ask` comes on any thread, replies
// come on the main one.
class Questions {
 public:
  explicit Questions(EventOutput& output) : output_(output) {}

  void ask(const PolicyQuestion& question, std::function<void(PolicyAnswer)> reply) {
    const MutexLock lock(mutex_);
    waiting_.emplace(++last_, std::move(reply));
    output_.write(ask_line(last_, question));
  }

  void answer(const PolicyLine& line) {
    std::function<void(PolicyAnswer)> reply;
    {
      const MutexLock lock(mutex_);
      const auto found = waiting_.find(line.number);
      if (found == waiting_.end()) return;
      reply = std::move(found->second);
      waiting_.erase(found);
    }
    reply(line.answer);
  }

 private:
  EventOutput& output_;
  Mutex mutex_;
  std::map<std::uint64_t, std::function<void(PolicyAnswer)>> waiting_ GUARDED_BY(mutex_);
  std::uint64_t last_ GUARDED_BY(mutex_) = 0;
};

struct Child {
  explicit Child(EventOutput& output) : questions(output) {}
  ~Child() { g_main_loop_unref(loop); }

  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  Questions questions;
  std::shared_ptr<Session> session;
  Timer stop_timer{g_main_context_default()};
  std::string partial;  // Of a line from the parent.
  bool stopping = false;
  bool over = false;

  void quit() {
    over = true;
    g_main_loop_quit(loop);
  }

  void stop(const std::string& why) {
    if (std::exchange(stopping, true)) return;
    stop_timer.start(kStopTimeout, [] { _exit(1); });
    session->stop(why);
  }

  void on_line(std::string_view line) {
    const ParentLine parsed = parse_parent_line(line);
    if (const auto* policy = std::get_if<PolicyLine>(&parsed)) {
      questions.answer(*policy);
    } else if (const auto* told = std::get_if<StopLine>(&parsed)) {
      stop(told->why);
    } else if (const auto* offer = std::get_if<ConnectLine>(&parsed)) {
      session->connect(offer->connection, offer->offer_sdp);
    } else if (const auto* done = std::get_if<DisconnectLine>(&parsed)) {
      session->disconnect(done->connection);
    }
  }
};

gboolean on_parent(int, GIOCondition, gpointer data) {
  auto* child = static_cast<Child*>(data);
  char buffer[4096];
  const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return G_SOURCE_CONTINUE;
  if (n <= 0) {
    child->stop("the server is stopping");
    return G_SOURCE_REMOVE;
  }
  child->partial.append(buffer, static_cast<std::size_t>(n));
  std::size_t end = 0;
  while ((end = child->partial.find('\n')) != std::string::npos) {
    const std::string line = child->partial.substr(0, end);
    child->partial.erase(0, end + 1);
    child->on_line(line);
  }
  return G_SOURCE_CONTINUE;
}

// Of a process that strangers feed: no dump of what they sent, descriptors for a pipeline or two,
// and memory if the operator says so. A limit that cannot be set is said, and no reason to stop.
void limit_process(const SessionConfig& config) {
  const auto limit = [](__rlimit_resource_t resource, rlim_t value, const char* name) {
    rlimit now{};
    getrlimit(resource, &now);
    const rlim_t most = now.rlim_max == RLIM_INFINITY ? value : std::min(value, now.rlim_max);
    const rlimit wanted{most, most};
    if (setrlimit(resource, &wanted) != 0) g_warning("cannot limit %s", name);
  };
  limit(RLIMIT_CORE, 0, "core dumps");
  limit(RLIMIT_NOFILE, kMaxDescriptors, "descriptors");
  // Of memory that is written to: address space would count what is only reserved.
  if (config.memory_limit && *config.memory_limit > kReservedBySanitizer) {
    limit(RLIMIT_DATA, *config.memory_limit, "memory");
  }
  exit_when_out_of_memory();
}

// The upload's file, opened while this process still may. -1 if that fails: the upload then tries
// once more, and says what is wrong.
int open_spool(const SessionConfig& config) {
  const auto fd = Spool::open_file(config.spool_directory.value_or(Spool::default_directory()));
  return fd ? fd.value() : -1;
}

// Of what the sandbox lacks although this system has it. With "strict" there is no session then.
void check_sandbox(const SessionConfig& config, const std::string& problem) {
  if (problem.empty()) return;
  g_warning("session %s: the sandbox is not complete: %s", config.id.c_str(), problem.c_str());
  if (config.sandbox.mode == SandboxMode::kStrict) _exit(1);
}

}  // namespace

int session_main() {
  // Ctrl-C reaches every process of the terminal, and a service manager's SIGTERM every process of
  // the service; the server then decides what ends, and how.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  // The end of standard input says the same, but not to a process that hangs.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int output_fd = take_standard_output();
  const auto line = read_config_line();
  auto config = line ? parse_config_line(*line) : std::nullopt;
  if (output_fd < 0 || !config) {
    g_printerr("webrtc-upload session: no configuration; this is for `webrtc-upload serve` only\n");
    return 2;
  }
  limit_process(*config);
  const bool shut_in = config->sandbox.mode != SandboxMode::kOff;
  if (shut_in || !config->sandbox.user.empty()) config->spool_fd = open_spool(*config);
  check_sandbox(*config, enter_sandbox(*config));
  {
    EventOutput output(output_fd, kMarks);
    Child child(output);
    SessionObserver observer;
    observer.answered = [&output](const std::string& sdp) { output.write(answer_line(sdp)); };
    observer.refused = [&](const HttpError& error) {
      output.write(refused_line(error));
      child.quit();
    };
    observer.frame = [&output](const std::string& text) { output.write_patiently(text); };
    observer.connection = [&output](const std::string& connection, const ConnectionNews& news) {
      output.write(connection_line(connection, news));
    };
    // An element that hangs would keep its place in the server for ever.
    observer.ending = [&child] { child.stop_timer.start(kLongestEnding, [] { _exit(1); }); };
    observer.ended = [&](const SessionEnd& end) {
      output.write(end_line(config->id, end));
      child.quit();
    };
    observer.ask = [&child](const PolicyQuestion& question,
                            std::function<void(PolicyAnswer)> reply) {
      child.questions.ask(question, std::move(reply));
    };
    if (shut_in) {
      observer.feeding = [&config](bool joined) {
        const auto what = joined ? SandboxClosing::kFiles : SandboxClosing::kAll;
        check_sandbox(*config, close_sandbox(config->sandbox, what));
      };
      observer.fed = [&config] {
        check_sandbox(*config, close_sandbox(config->sandbox, SandboxClosing::kSockets));
      };
    }
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
  // A sanitizer that looks for leaks in an exit handler stops all threads as a debugger does, and
  // the filter ends whoever tries.
  if (shut_in) _exit(0);
  return 0;
}

}  // namespace webrtcupload
