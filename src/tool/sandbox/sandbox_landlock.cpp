// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_landlock.h"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace webrtcupload {
namespace {

// <linux/landlock.h> of the oldest system that this is built on lacks most of it, so these are the
// kernel's numbers. The system calls have the same ones on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kVersionFlag = 1;
constexpr int kPathRule = 1;
constexpr int kPortRule = 2;

enum FileRight : std::uint64_t {
  kExecute = 1 << 0,
  kWriteFile = 1 << 1,
  kReadFile = 1 << 2,
  kReadDirectory = 1 << 3,
  kRemoveDirectory = 1 << 4,
  kRemoveFile = 1 << 5,
  kMakeCharacterDevice = 1 << 6,
  kMakeDirectory = 1 << 7,
  kMakeFile = 1 << 8,
  kMakeSocket = 1 << 9,
  kMakePipe = 1 << 10,
  kMakeBlockDevice = 1 << 11,
  kMakeLink = 1 << 12,
  kMoveElsewhere = 1 << 13,  // From version 2 on.
  kTruncate = 1 << 14,       // From version 3 on.
  kDeviceControl = 1 << 15,  // From version 5 on.
};
constexpr std::uint64_t kRead = kReadFile | kReadDirectory;
constexpr std::uint64_t kWrite = kRead | kWriteFile | kRemoveDirectory | kRemoveFile |
                                 kMakeDirectory | kMakeFile | kMoveElsewhere | kTruncate |
                                 kDeviceControl;
// Of what is no directory.
constexpr std::uint64_t kForFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;

enum PortRight : std::uint64_t { kBind = 1 << 0, kConnect = 1 << 1 };
enum Scope : std::uint64_t { kAbstractSockets = 1 << 0, kSignals = 1 << 1 };

struct Ruleset {
  std::uint64_t files = 0;
  std::uint64_t ports = 0;
  std::uint64_t scopes = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t rights;
  std::int32_t directory;
};
struct PortRule {
  std::uint64_t rights;
  std::uint64_t port;
};

std::uint64_t file_rights(int version) {
  std::uint64_t rights = (std::uint64_t{1} << 13) - 1;
  if (version >= 2) rights |= kMoveElsewhere;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceControl;
  return rights;
}

// An older kernel takes no larger structure than it knows.
std::size_t ruleset_size(int version) {
  if (version < kLandlockForTcp) return offsetof(Ruleset, ports);
  if (version < kLandlockForSignals) return offsetof(Ruleset, scopes);
  return sizeof(Ruleset);
}

std::string failure(const std::string& what) {
  return "Landlock: " + what + ": " + std::generic_category().message(errno);
}

// What is not there, or not for us, needs no right.
std::string allow_path(int ruleset, const std::string& path, std::uint64_t rights) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return "";
  struct stat status {};
  std::string problem;
  if (fstat(fd, &status) == 0) {
    PathRule rule{S_ISDIR(status.st_mode) ? rights : rights & kForFiles, fd};
    if (syscall(kAddRule, ruleset, kPathRule, &rule, 0) != 0) problem = failure(path);
  }
  close(fd);
  return problem;
}

std::string allow_port(int ruleset, std::uint16_t port, std::uint64_t rights) {
  const PortRule rule{rights, port};
  if (syscall(kAddRule, ruleset, kPortRule, &rule, 0) == 0) return "";
  return failure("port " + std::to_string(port));
}

}  // namespace

int landlock_version() {
  const long version = syscall(kCreateRuleset, nullptr, std::size_t{0}, kVersionFlag);
  return version > 0 ? static_cast<int>(version) : 0;
}

std::optional<Landlock> Landlock::prepare(const SandboxPaths& paths,
                                          const std::optional<LandlockPorts>& ports,
                                          std::string& problem) {
  const int version = landlock_version();
  if (version < kLandlockForFiles) {
    problem = "this kernel has no Landlock";
    return std::nullopt;
  }
  const std::uint64_t handled = file_rights(version);
  const bool restricts_ports = ports && version >= kLandlockForTcp;
  Ruleset attributes{.files = handled};
  if (restricts_ports) attributes.ports = kBind | kConnect;
  if (version >= kLandlockForSignals) attributes.scopes = kSignals | kAbstractSockets;
  const long made = syscall(kCreateRuleset, &attributes, ruleset_size(version), 0);
  if (made < 0) {
    problem = failure("no ruleset");
    return std::nullopt;
  }
  Landlock landlock(static_cast<int>(made));
  const auto note = [&problem](std::string what) {
    if (problem.empty()) problem = std::move(what);
  };
  for (const std::string& path : paths.read) {
    note(allow_path(landlock.ruleset_, path, kRead & handled));
  }
  for (const std::string& path : paths.write) {
    note(allow_path(landlock.ruleset_, path, kWrite & handled));
  }
  if (restricts_ports) {
    for (const auto port : ports->bind) note(allow_port(landlock.ruleset_, port, kBind));
    for (const auto port : ports->connect) note(allow_port(landlock.ruleset_, port, kConnect));
  }
  // What cannot be added cannot be opened. That is said, and no reason to shut in nothing.
  return landlock;
}

Landlock::~Landlock() {
  if (ruleset_ >= 0) close(ruleset_);
}

Landlock::Landlock(Landlock&& other) noexcept : ruleset_(std::exchange(other.ruleset_, -1)) {}

Landlock& Landlock::operator=(Landlock&& other) noexcept {
  std::swap(ruleset_, other.ruleset_);
  return *this;
}

std::string Landlock::enter() const {
  return syscall(kRestrictSelf, ruleset_, 0) == 0 ? "" : failure("the process is not restricted");
}

}  // namespace webrtcupload
