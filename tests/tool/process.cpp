// SPDX-License-Identifier: LGPL-2.1-or-later

#include "process.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace webrtcupload::test {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

// How the report of a sanitizer begins.
constexpr std::array<std::string_view, 4> kReports = {"ERROR: AddressSanitizer", "LeakSanitizer",
                                                      "runtime error: ", "ThreadSanitizer: "};

// A session is a process of its own, and its end by a sanitizer may look to the test like any
// other.
void expect_no_report(const std::string& errors) {
  for (const std::string_view report : kReports) {
    EXPECT_EQ(errors.find(report), std::string::npos) << errors;
  }
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  // The test runner may have SIGINT ignored, which would be inherited.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, number);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  if (posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ) != 0) std::abort();
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(out[1]);
  close(err[1]);
  output_reader_ = std::thread([this, fd = out[0]] { read(fd, true); });
  error_reader_ = std::thread([this, fd = err[0]] { read(fd, false); });
  waiter_ = std::thread([this] {
    // Reaped only once everything was told: the pid stays ours until then.
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    const std::lock_guard lock(mutex_);
    status_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    changed_.notify_all();
  });
}

Process::~Process() {
  {
    const std::lock_guard lock(mutex_);
    if (!status_) ::kill(pid_, SIGKILL);
  }
  pause_reading(false);
  waiter_.join();
  waitpid(pid_, nullptr, 0);
  output_reader_.join();
  error_reader_.join();
  expect_no_report(errors_);
}

void Process::signal(int number) {
  if (number != SIGHUP && number != SIGSTOP && number != SIGCONT) {
    const std::lock_guard lock(mutex_);
    end_expected_ = true;
  }
  ::kill(pid_, number);
}

void Process::pause_reading(bool pause) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = pause;
  }
  changed_.notify_all();
}

void Process::read(int fd, bool standard_output) {
  char buffer[4096];
  std::string partial;
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0) {
    std::unique_lock lock(mutex_);
    if (!standard_output) {
      errors_.append(buffer, static_cast<std::size_t>(n));
      continue;
    }
    for (ssize_t i = 0; i < n; ++i) {
      if (buffer[i] == '\n') {
        lines_.push_back(std::exchange(partial, {}));
      } else {
        partial += buffer[i];
      }
    }
    changed_.notify_all();
    changed_.wait(lock, [this] { return !paused_; });
  }
  close(fd);
  const std::lock_guard lock(mutex_);
  ++streams_read_;
  if (standard_output) output_read_ = true;
  changed_.notify_all();
}

std::optional<std::string> Process::wait_for_line(
    const std::function<bool(const std::string&)>& predicate, std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  std::size_t seen = 0;
  std::optional<std::string> found;
  changed_.wait_for(lock, deadline, [&] {
    for (; seen < lines_.size() && !found; ++seen) {
      if (predicate(lines_[seen])) found = lines_[seen];
    }
    return found.has_value() || output_read_;
  });
  return found;
}

std::optional<int> Process::wait_for_exit(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  end_expected_ = true;
  changed_.wait_for(lock, deadline,
                    [&] { return status_.has_value() && (paused_ || streams_read_ == 2); });
  return status_;
}

std::optional<int> Process::ended_by_itself() const {
  const std::lock_guard lock(mutex_);
  return end_expected_ ? std::nullopt : status_;
}

std::vector<std::string> Process::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::string Process::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

std::set<pid_t> children_of(pid_t pid) {
  std::set<pid_t> children;
  std::error_code error;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::ifstream file(task.path() / "children");
    pid_t child = 0;
    while (file >> child) children.insert(child);
  }
  return children;
}

std::size_t descriptors_of(pid_t pid) {
  std::size_t count = 0;
  std::error_code error;
  for ([[maybe_unused]] const auto& entry :
       fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    ++count;
  }
  return count;
}

bool exists(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  // Not by the stream's buffer, which throws where the process goes while it is read.
  std::string text;
  std::getline(file, text, '\0');
  const std::size_t name_end = text.rfind(')');
  // A zombie whose parent has not looked yet is gone for our purposes.
  return name_end != std::string::npos && text.compare(name_end, 3, ") Z") != 0;
}

RawHttp::RawHttp(int port) {
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    fd = -1;
  }
}

RawHttp::~RawHttp() {
  if (fd >= 0) close(fd);
}

bool RawHttp::send(const std::string& bytes) const {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

std::string RawHttp::read_all(std::chrono::milliseconds deadline) const {
  const auto end = Clock::now() + deadline;
  std::string reply;
  char buffer[4096];
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd poll_fd{fd, POLLIN, 0};
    if (left <= 0 || poll(&poll_fd, 1, static_cast<int>(left)) <= 0) return reply + "<no end>";
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return reply;
    reply.append(buffer, static_cast<std::size_t>(n));
  }
}

std::string http_exchange(int port, const std::string& request) {
  const RawHttp http(port);
  http.send(request);
  return http.read_all();
}

std::string post(const std::string& body, const std::string& more_headers,
                 const std::string& path) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body;
}

}  // namespace webrtcupload::test
