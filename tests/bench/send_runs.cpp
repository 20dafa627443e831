// SPDX-License-Identifier: LGPL-2.1-or-later

#include "bench/send_runs.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/sha256.h"
#include "json/json.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{10};
constexpr std::chrono::minutes kLongestRun{20};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// Of the process and of those that it has started and that have ended.
double cpu_seconds_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  // The name may hold anything; what follows it does not. Fields 14 to 17 are wanted.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double ticks = 0;
  for (int field = 14; field <= 17; ++field) {
    double figure = 0;
    fields >> figure;
    ticks += figure;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t peak_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) << 10;
  }
  return 0;
}

// What the spool files have that a process holds open; they have no name.
std::uint64_t spooled_by(pid_t pid, const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    const std::string target = fs::read_symlink(entry.path(), error).string();
    struct stat info {};
    if (target.starts_with(directory) && stat(entry.path().c_str(), &info) == 0) {
      // Room that is only reserved is not there yet.
      bytes += static_cast<std::uint64_t>(std::min<off_t>(info.st_size, info.st_blocks * 512));
    }
  }
  return bytes;
}

}  // namespace

RandomFile::RandomFile(std::uint64_t size) : size_(size) {
  char name[] = "/var/tmp/webrtc-upload-bench-XXXXXX";
  const int fd = mkstemp(name);
  if (fd < 0) give_up("no file can be made in /var/tmp");
  path_ = name;
  auto hash = Sha256::create();
  if (!hash) give_up(hash.error().message);
  std::mt19937_64 random(size);
  std::array<std::uint64_t, 1 << 16> block{};
  for (std::uint64_t written = 0; written < size;) {
    for (std::uint64_t& word : block) word = random();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(block.data());
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(sizeof block, size - written));
    if (write(fd, bytes, length) != static_cast<ssize_t>(length)) give_up("/var/tmp is full");
    hash.value().update({bytes, length});
    written += length;
  }
  close(fd);
  sha256_ = to_hex(hash.value().sum());
}

RandomFile::~RandomFile() { unlink(path_.c_str()); }

SendRuns::SendRuns(const FarNetwork* network, const std::vector<std::string>& serve_options)
    : network_(network) {
  char name[] = "/var/tmp/webrtc-upload-bench-XXXXXX";
  spool_ = mkdtemp(name);
  std::vector<std::string> command;
  if (network_) command = network_->near();
  const std::vector<std::string> serve = {program(),    "serve",      "--port",
                                          "0",          "--pipeline", "fakesink",
                                          "--max-size", "8000000000", "--spool-directory",
                                          spool_};
  command.insert(command.end(), serve.begin(), serve.end());
  if (network_) {
    for (const char* word : {"--insecure", "--address", FarNetwork::kNearAddress}) {
      command.emplace_back(word);
    }
  }
  command.insert(command.end(), serve_options.begin(), serve_options.end());
  server_ = std::make_unique<Process>(command);
  const auto line = server_->wait_for_line(
      [](const std::string& text) { return text.find("\"listening\"") != std::string::npos; });
  if (!line) give_up("the server does not listen: " + server_->errors());
  auto parsed = parse_json_object(*line);
  url_ = json_string(json_node_get_object(std::get<JsonNodePtr>(parsed).get()), "url").value_or("");
}

SendRuns::~SendRuns() {
  server_->signal(SIGTERM);
  server_->wait_for_exit();
  server_.reset();
  fs::remove_all(spool_);
}

std::optional<SendRuns::Run> SendRuns::run(const RandomFile& file,
                                           const std::vector<std::string>& send_options,
                                           const std::function<void(std::uint64_t)>& meanwhile) {
  Run run;
  // nsenter becomes the server.
  const pid_t server = server_->pid();
  const double cpu_before = cpu_seconds_of(server);
  const std::size_t lines_before = server_->lines().size();
  const auto begin = Clock::now();

  std::vector<std::string> command;
  if (network_) command = network_->far();
  const std::vector<std::string> send = {program(), "send", file.path(), "--to", url_};
  command.insert(command.end(), send.begin(), send.end());
  command.insert(command.end(), send_options.begin(), send_options.end());
  Process sender(command);
  std::optional<int> status;
  while (!status && Clock::now() - begin < kLongestRun) {
    status = sender.wait_for_exit(kLook);
    for (const pid_t session : children_of(server)) {
      run.peak_bytes = std::max(run.peak_bytes, peak_of(session));
      if (meanwhile) meanwhile(spooled_by(session, spool_));
    }
  }
  run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  // The server has waited for the session's process by then.
  const auto ended = [&] {
    const auto lines = server_->lines();
    return std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(lines_before), lines.end(),
                       [](const std::string& line) {
                         return line.find("\"event\":\"end\"") != std::string::npos;
                       });
  };
  const bool gone = eventually([&] { return ended() && children_of(server).empty(); });
  run.server_cpu_seconds = cpu_seconds_of(server) - cpu_before;
  std::string said;
  for (const std::string& line : sender.lines()) said += line + "\n";
  if (status != 0 || !gone) {
    std::printf("send ended with %d: %s%s\n", status.value_or(-1), said.c_str(),
                sender.errors().c_str());
    return std::nullopt;
  }
  const auto lines = server_->lines();
  const std::string& end = lines.back();
  // v1 has no hash; it has the bytes.
  const bool is_whole = end.find(file.sha256()) != std::string::npos ||
                        (end.find("\"sha256\":null") != std::string::npos &&
                         end.find("\"bytes\":" + std::to_string(file.size())) != std::string::npos);
  if (!is_whole) {
    std::printf("another file has arrived: %s\n", end.c_str());
    return std::nullopt;
  }
  return run;
}

double median(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  return figures.empty() ? 0 : figures[(figures.size() - 1) / 2];
}

}  // namespace webrtcupload::test
