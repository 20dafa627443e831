// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A session in a process of its own, as its parent sees it: started, fed, listened to within
// bounds, and accounted for however it ends.

#include <gio/gio.h>
#include <gio/gunixinputstream.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/redaction.h"
#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "signalling/session_request.h"
#include "tool/common/event_output.h"
#include "tool/sandbox/sandbox_breach.h"
#include "tool/serve/session_runner.h"
#include "tool/session/session_memory.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;
// A frame with the most detections there can be is far below.
constexpr std::size_t kMaxLine = 4 << 20;
// Of which it takes a second or so to begin, and many on a machine that has too much to do.
constexpr std::chrono::milliseconds kAnswerTimeout{60000};
// For a process that has said its last word to exit.
constexpr std::chrono::milliseconds kExitTimeout{10000};

class ChildSession final : public SessionRunner {
 public:
  ChildSession(GMainContext* context, const EventOutput& output, SessionConfig config,
               SessionObserver observer, std::chrono::milliseconds answer_timeout)
      : core_(std::make_shared<Core>(context, output, std::move(config), std::move(observer),
                                     answer_timeout)) {}
  ~ChildSession() override { core_->abandon(); }

  void start() override { core_->start(); }
  bool connect(const std::string& connection, const std::string& offer_sdp) override {
    return core_->connect(connection, offer_sdp);
  }
  void disconnect(const std::string& connection) override { core_->disconnect(connection); }
  void stop(const std::string& why) override { core_->stop(why); }
  void kill() override { core_->kill(); }
  void resume() override { core_->resume(); }

 private:
  // Asynchronous operations keep it until they have ended.
  struct Core : std::enable_shared_from_this<Core> {
    Core(GMainContext* owner, const EventOutput& to, SessionConfig configuration,
         SessionObserver callbacks, std::chrono::milliseconds further_answer_timeout)
        : context(g_main_context_ref(owner), g_main_context_unref),
          answer_timeout(further_answer_timeout),
          output(to),
          config(std::move(configuration)),
          observer(std::move(callbacks)),
          timer(owner) {}

    const std::shared_ptr<GMainContext> context;
    const std::chrono::milliseconds answer_timeout;  // Of further offers.
    const EventOutput& output;
    const SessionConfig config;
    SessionObserver observer;
    Timer timer;
    GObjectPtr<GSubprocess> process;
    GInputStream* from_child = nullptr;     // The process'.
    std::string to_child;                   // Lines that are not written yet.
    std::string partial;                    // A line's begin.
    std::optional<std::uint64_t> question;  // That the child waits to hear about: one at a time.
    std::uint64_t frames = 0;
    struct Connection {
      std::unique_ptr<Timer> timer;  // Until there is an answer. The first has none.
      bool overdue = false;
      bool told_off = false;  // It has been told to disconnect, once.
    };
    // Those that it may say something of.
    std::map<std::string, Connection> connections = [] {
      std::map<std::string, Connection> known;
      known.try_emplace(kFirstConnection);
      return known;
    }();
    bool answered = false;
    bool said_last = false;  // Heard `end` or `refused`.
    bool writing = false;
    bool close_when_written = false;
    bool paused = false;
    bool stopping = false;
    bool reading_ended = false;
    bool exited = false;
    bool concluded = false;
    std::string killed_because;
    // Passed on when the process is gone: then nothing of the session is left.
    SessionEnd last_end;

    using Handle = std::shared_ptr<Core>;
    static Handle take(gpointer data) {
      auto* handle = static_cast<Handle*>(data);
      Handle core = std::move(*handle);
      delete handle;
      return core;
    }
    gpointer handle() { return new Handle(shared_from_this()); }

    void start() {
      GError* error = nullptr;
      GSubprocessLauncher* launcher = g_subprocess_launcher_new(static_cast<GSubprocessFlags>(
          G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE));
      // OpenCV's elements look for cascades that distributions do not ship, and complain on stderr.
      g_subprocess_launcher_setenv(launcher, "OPENCV_LOG_LEVEL", "SILENT", FALSE);
      // The very program that runs, even if its file was replaced meanwhile.
      process.reset(
          g_subprocess_launcher_spawn(launcher, &error, "/proc/self/exe", "session", nullptr));
      g_object_unref(launcher);
      if (!process) {
        g_message("no process could be started: %s", error->message);
        const std::string why = text_for_client(error->message);
        g_clear_error(&error);
        exited = reading_ended = said_last = true;
        observer.refused(
            HttpError{500, "InternalError", "No process could be started: " + why, {}});
        return;
      }
      timer.start(kAnswerTimeout, [this] { kill_because("it did not answer the offer in time"); });
      g_subprocess_wait_async(
          process.get(), nullptr,
          [](GObject*, GAsyncResult*, gpointer data) { take(data)->on_exit(); }, handle());
      tell(config_line(config));
      from_child = g_subprocess_get_stdout_pipe(process.get());
      read_more();
    }

    void tell(const std::string& line) {
      to_child += line + "\n";
      write_more();
    }

    bool connect(const std::string& connection, const std::string& offer_sdp) {
      if (is_ending()) return false;
      // A process that has no time for one has none for others.
      if (hangs()) {
        observer.connection(connection, not_in_time());
        return true;
      }
      auto& timer_of_it = connections[connection].timer;
      timer_of_it = std::make_unique<Timer>(context.get());
      timer_of_it->start(answer_timeout, [this, connection] { on_overdue(connection); });
      tell(connect_line(connection, offer_sdp));
      return true;
    }

    [[nodiscard]] bool hangs() const {
      return std::ranges::any_of(connections, [](const auto& each) { return each.second.overdue; });
    }

    // Whatever it still says of that one is for nobody.
    void on_overdue(const std::string& connection) {
      connections[connection].overdue = true;
      disconnect(connection);
      observer.connection(connection, not_in_time());
    }

    void disconnect(const std::string& connection) {
      const auto found = connections.find(connection);
      if (is_ending() || found == connections.end()) return;
      if (!std::exchange(found->second.told_off, true)) tell(disconnect_line(connection));
    }

    [[nodiscard]] bool is_ending() const { return exited || said_last || close_when_written; }

    // One write at a time; what comes meanwhile goes with the next one. If writing fails the
    // process is ending, which is noticed anyway.
    void write_more() {
      if (writing) return;
      GOutputStream* pipe = g_subprocess_get_stdin_pipe(process.get());
      if (to_child.empty()) {
        if (close_when_written) g_output_stream_close(pipe, nullptr, nullptr);
        return;
      }
      writing = true;
      GBytes* bytes = g_bytes_new(to_child.data(), to_child.size());
      to_child.clear();
      gsize size = 0;
      const void* data = g_bytes_get_data(bytes, &size);
      struct Write {
        Handle core;
        GBytesPtr bytes;
      };
      g_output_stream_write_all_async(
          pipe, data, size, G_PRIORITY_DEFAULT, nullptr,
          [](GObject* stream, GAsyncResult* result, gpointer user_data) {
            const std::unique_ptr<Write> write(static_cast<Write*>(user_data));
            g_output_stream_write_all_finish(G_OUTPUT_STREAM(stream), result, nullptr, nullptr);
            write->core->writing = false;
            write->core->write_more();
          },
          new Write{shared_from_this(), GBytesPtr(bytes)});
    }

    void read_more() {
      if (reading_ended) return;
      // When it is to stop, the little it still has to say must not keep it.
      if (output.congested() && !stopping) {
        // The pipe fills, and the child's pipeline waits.
        paused = true;
        return;
      }
      g_input_stream_read_bytes_async(
          from_child, kReadSize, G_PRIORITY_DEFAULT, nullptr,
          [](GObject* stream, GAsyncResult* result, gpointer data) {
            const Handle core = take(data);
            const GBytesPtr bytes(
                g_input_stream_read_bytes_finish(G_INPUT_STREAM(stream), result, nullptr));
            core->on_bytes(bytes.get());
          },
          handle());
    }

    void resume() {
      if (std::exchange(paused, false)) read_more();
    }

    void on_bytes(GBytes* bytes) {
      gsize size = 0;
      const auto* data = bytes ? static_cast<const char*>(g_bytes_get_data(bytes, &size)) : nullptr;
      if (size == 0) {
        reading_ended = true;
        conclude();
        return;
      }
      std::string_view rest(data, size);
      while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        partial += rest.substr(0, end);
        if (partial.size() > kMaxLine) {
          kill_because("it wrote a line of more than " + std::to_string(kMaxLine) + " bytes");
          partial.clear();
          break;
        }
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
        on_line(std::exchange(partial, {}));
      }
      read_more();
    }

    void on_line(const std::string& line) {
      if (said_last) return;
      const ChildLine parsed = parse_child_line(config.id, line);
      if (std::holds_alternative<FrameLine>(parsed)) {
        ++frames;
        observer.frame(line);
      } else if (const auto* answer = std::get_if<AnswerLine>(&parsed); answer && !answered) {
        answered = true;
        timer.cancel();
        observer.answered(answer->sdp);
      } else if (const auto* ask = std::get_if<AskLine>(&parsed);
                 ask && config.asks_policy && !question) {
        on_question(*ask);
      } else if (const auto* connection = std::get_if<ConnectionLine>(&parsed);
                 connection && answered && connections.contains(connection->connection)) {
        const bool stays = std::holds_alternative<ConnectionAnswer>(connection->news);
        const auto found = connections.find(connection->connection);
        const bool overdue = found->second.overdue;
        found->second.timer.reset();
        if (!stays) connections.erase(found);
        if (!overdue) observer.connection(connection->connection, connection->news);
      } else if (const auto* refused = std::get_if<HttpError>(&parsed); refused && !answered) {
        said_last = true;
        await_exit();
        observer.refused(*refused);
      } else if (const auto* end = std::get_if<SessionEnd>(&parsed); end && answered) {
        said_last = true;
        await_exit();
        last_end = *end;
      } else {
        kill_because("it said something that was not expected");
      }
    }

    void on_question(const AskLine& ask) {
      question = ask.number;
      observer.ask(ask.question,
                   [weak = weak_from_this(), number = ask.number](const PolicyAnswer& answer) {
                     const auto self = weak.lock();
                     if (!self || self->question != number) return;
                     self->question.reset();
                     if (!self->exited && !self->close_when_written)
                       self->tell(policy_line(number, answer));
                   });
    }

    void await_exit() {
      timer.start(kExitTimeout, [this] { g_subprocess_force_exit(process.get()); });
    }

    void stop(const std::string& why) {
      if (!process) return;
      const bool again = std::exchange(stopping, true);
      // What it said last may still wait to be read.
      if (exited || again) return resume();
      tell(stop_line(why));
      close_when_written = true;
      write_more();
      resume();
      timer.start(kExitTimeout, [this] { kill_because("it did not stop in time"); });
    }

    void kill() { kill_because("the server is stopping"); }

    void kill_because(std::string why) {
      if (!process || exited) return;
      if (killed_because.empty()) killed_because = std::move(why);
      g_subprocess_force_exit(process.get());
    }

    void on_exit() {
      exited = true;
      timer.cancel();
      // Whoever waits is told with the session's end.
      for (auto& each : connections) each.second.timer.reset();
      conclude();
    }

    void conclude() {
      if (!exited || !reading_ended || std::exchange(concluded, true)) return;
      if (said_last && answered) {
        observer.ended(last_end);
      } else if (!said_last) {
        crashed();
      }
      observer = {};
    }

    // What its sandbox has stopped, if it has: the process says so with its status, or the kernel
    // with a signal.
    [[nodiscard]] std::optional<Breach> breach() const {
      if (config.sandbox.mode == SandboxMode::kOff || !killed_because.empty()) return std::nullopt;
      if (!g_subprocess_get_if_signaled(process.get())) {
        return breach_of_status(g_subprocess_get_exit_status(process.get()));
      }
      if (g_subprocess_get_term_sig(process.get()) == SIGSYS) return Breach::kOther;
      return std::nullopt;
    }

    void crashed() {
      std::string code = "crashed";
      std::string how;
      if (!killed_because.empty()) {
        how = "was ended because " + killed_because;
      } else if (const auto what = breach()) {
        code = kSandboxViolation;
        how = std::string("was ended because it ") + to_string(*what);
        // Where the process could tell, it has said more.
        if (*what == Breach::kOther && g_subprocess_get_if_signaled(process.get())) {
          g_message(
              "the kernel ended a session's process: the sandbox refused a system call that was "
              "made with all signals blocked");
        }
      } else if (g_subprocess_get_if_signaled(process.get()) &&
                 g_subprocess_get_term_sig(process.get()) == SIGXCPU) {
        code = "timeout_reached";
        how = "was ended because it used more processor time than an analysis may";
      } else if (g_subprocess_get_if_signaled(process.get())) {
        how = "was ended by signal " + std::to_string(g_subprocess_get_term_sig(process.get()));
      } else if (g_subprocess_get_exit_status(process.get()) == kExitNoMemory) {
        code = "too-much-memory";
        how = "needs more memory than it may have";
      } else {
        how = "ended unexpectedly with status " +
              std::to_string(g_subprocess_get_exit_status(process.get()));
      }
      const std::string message = "the process of the session " + how;
      if (answered) {
        observer.ended(
            SessionEnd{.done = false, .code = code, .message = message, .frames = frames});
      } else {
        const bool violation = code == kSandboxViolation;
        observer.refused(
            HttpError{500, violation ? "SandboxViolation" : "SessionCrashed", message, {}});
      }
    }

    // Nobody listens any more; the process goes, and is waited for by GSubprocess.
    void abandon() {
      observer = {};
      observer.frame = [](const std::string&) {};
      observer.answered = [](const std::string&) {};
      observer.refused = [](const HttpError&) {};
      observer.ended = [](const SessionEnd&) {};
      observer.connection = [](const std::string&, const ConnectionNews&) {};
      observer.ask = [](const PolicyQuestion&, const std::function<void(PolicyAnswer)>&) {};
      question.reset();
      timer.cancel();
      connections.clear();
      if (process && !exited) g_subprocess_force_exit(process.get());
    }
  };

  std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<SessionRunner> make_child_session(
    GMainContext* context, const EventOutput& output, SessionConfig config,
    SessionObserver observer, std::chrono::milliseconds further_answer_timeout) {
  return std::make_unique<ChildSession>(context, output, std::move(config), std::move(observer),
                                        further_answer_timeout);
}

}  // namespace webrtcupload
