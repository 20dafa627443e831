// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session_memory.h"

#include <glib.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace webrtcupload {
namespace {

constexpr std::uint64_t kGibibyte = 1ULL << 30U;
constexpr std::uint64_t kStacks = 32ULL << 20U;
constexpr std::uint64_t kConnection = 96ULL << 20U;

// The number that a file begins with; nothing where there is none ("max").
std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  if (!(file >> number)) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> physical_memory(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name;
  std::uint64_t kibibytes = 0;
  if (!(file >> name >> kibibytes) || name != "MemTotal:") return std::nullopt;
  return kibibytes * 1024;
}

// The smallest limit of the group at `path` and those it is in, as far as they can be seen from
// here.
std::uint64_t smallest_limit(const std::string& mount, std::string path, const char* file) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  while (true) {
    if (path == "/") path.clear();
    if (const auto limit = read_number(mount + path + file)) least = std::min(least, *limit);
    if (path.empty()) return least;
    path.erase(path.rfind('/'));
  }
}

// "4:memory:/some/group" of version 1, "0::/some/group" of version 2.
std::uint64_t group_memory(const std::string& root) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (path.empty() || path[0] != '/') continue;
    if (controllers == ",,") {
      least = std::min(least, smallest_limit(root + "/sys/fs/cgroup", path, "/memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(
          least, smallest_limit(root + "/sys/fs/cgroup/memory", path, "/memory.limit_in_bytes"));
    }
  }
  return least;
}

[[noreturn]] void exit_now() { _exit(kExitNoMemory); }

// GLib aborts with this text, of which nothing else is left to see.
void on_glib_message(const char* domain, GLogLevelFlags level, const char* message, gpointer) {
  const std::string_view text = message ? message : "";
  if ((level & G_LOG_LEVEL_ERROR) != 0 && text.find("failed to allocate") != text.npos) exit_now();
  g_log_default_handler(domain, level, message, nullptr);
}

}  // namespace

std::uint64_t default_session_memory(const Machine& machine, std::size_t max_sessions,
                                     std::size_t further_connections) {
  const std::uint64_t share = machine.memory / 4 * 3 / std::max<std::size_t>(max_sessions, 1);
  return std::max(share, kGibibyte + machine.processors * kStacks +
                             std::uint64_t{further_connections} * kConnection);
}

std::uint64_t machine_memory() { return machine_memory(""); }

std::uint64_t machine_memory(const std::string& root) {
  const std::uint64_t group = group_memory(root);
  const auto physical = physical_memory(root);
  if (!physical) return group == std::numeric_limits<std::uint64_t>::max() ? 0 : group;
  return std::min(group, *physical);
}

void exit_when_out_of_memory() {
  std::set_new_handler(exit_now);
  g_log_set_handler(
      "GLib",
      static_cast<GLogLevelFlags>(G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION),
      on_glib_message, nullptr);
}

}  // namespace webrtcupload
