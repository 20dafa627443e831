// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_trap.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <ucontext.h>
#include <unistd.h>

namespace webrtcupload {
namespace {

// Written while there is one thread, and then only read: a signal handler may not do much.
struct Trapped {
  int number;
  const char* name;
  Breach breach;
};
constexpr std::size_t kMostTrapped = 96;
std::array<Trapped, kMostTrapped> trapped;
std::size_t trapped_count = 0;

constexpr std::size_t kMostQuiet = 8;
std::array<std::array<char, 512>, kMostQuiet> quiet;
std::size_t quiet_count = 0;

// Their content is the kernel's, and what may be had of devices is another matter: libraries look
// there for what the machine has, and do without. NSS, with which libsrtp encrypts a video track,
// stirs the list of users and of logins into its random numbers, and others look up a home there.
constexpr std::array<std::string_view, 8> kQuietPlaces = {
    "/proc/",     "/sys/",     "/dev/",         "/etc/passwd",
    "/etc/group", "/etc/utmp", "/var/lib/sss/", "/var/lib/extrausers/"};

// Threads that may still open sockets, in good faith, when that has become forbidden: webrtcbin's
// own, those on which libnice answers a check that comes late or sends, and those on which GLib
// looks up names. They get an error and do without.
constexpr std::array<std::string_view, 6> kIceThreads = {"webrtcbin", "nice",  "dtls",
                                                         "sctp",      "pool-", "gio-resolver"};

constexpr int kSeccomp = 1;  // SYS_SECCOMP of <asm-generic/siginfo.h>.

struct OpenHow {
  std::uint64_t flags;
  std::uint64_t mode;
  std::uint64_t resolve;
};
constexpr long kOpenat2 = 437;
constexpr long kFaccessat2 = 439;

class Registers {
 public:
  explicit Registers(void* context) : context_(static_cast<ucontext_t*>(context)) {}

#if defined(__x86_64__)
  static constexpr bool kKnown = true;
  [[nodiscard]] std::uint64_t argument(int index) const {
    constexpr std::array<int, 6> kWhere = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    return static_cast<std::uint64_t>(
        context_->uc_mcontext.gregs[kWhere[static_cast<std::size_t>(index)]]);
  }
  void set_result(long result) const { context_->uc_mcontext.gregs[REG_RAX] = result; }
#elif defined(__aarch64__)
  static constexpr bool kKnown = true;
  [[nodiscard]] std::uint64_t argument(int index) const {
    return context_->uc_mcontext.regs[index];
  }
  void set_result(long result) const {
    context_->uc_mcontext.regs[0] = static_cast<std::uint64_t>(result);
  }
#else
  static constexpr bool kKnown = false;
  [[nodiscard]] std::uint64_t argument(int) const { return 0; }
  void set_result(long) const {}
#endif

 private:
  ucontext_t* context_;
};

// A line put together without memory of its own.
class Line {
 public:
  Line& add(const char* text) {
    while (*text != '\0' && length_ + 1 < text_.size()) text_[length_++] = *text++;
    return *this;
  }
  Line& add(long number) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0 && at > 0);
    return add(&digits[at]);
  }
  void write_to(int fd) {
    text_[length_++] = '\n';
    [[maybe_unused]] const ssize_t written = ::write(fd, text_.data(), length_);
  }

 private:
  std::array<char, 640> text_{};
  std::size_t length_ = 0;
};

std::array<char, 17> thread_name() {
  std::array<char, 17> name{};
  prctl(PR_GET_NAME, name.data(), 0, 0, 0);
  return name;
}

[[noreturn]] void end(const Trapped& call, const char* path) {
  Line line;
  line.add("webrtc-upload session: the sandbox refused ").add(call.name);
  line.add(" (system call ").add(call.number).add(") of the thread \"");
  line.add(thread_name().data()).add("\"");
  if (path) line.add(": ").add(path);
  line.write_to(STDERR_FILENO);
  _exit(breach_status(call.breach));
}

bool begins_with(const char* text, std::string_view prefix) {
  return std::strncmp(text, prefix.data(), prefix.size()) == 0;
}

bool is_quiet(const char* path) {
  for (const std::string_view place : kQuietPlaces) {
    if (begins_with(path, place)) return true;
  }
  for (std::size_t i = 0; i < quiet_count; ++i) {
    if (begins_with(path, quiet[i].data())) return true;
  }
  return false;
}

// Whether the file could have been opened but for the sandbox. Landlock says the same as a file's
// mode does (EACCES), but has no say in access().
bool is_forbidden(int directory, const char* path, std::uint64_t flags) {
  if (is_quiet(path)) return false;
  struct stat status {};
  const int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
  if (fstatat(directory, path, &status, follow) != 0 || !S_ISREG(status.st_mode)) return false;
  const int kind = static_cast<int>(flags & O_ACCMODE);
  const int wanted = kind == O_RDONLY ? R_OK : kind == O_WRONLY ? W_OK : R_OK | W_OK;
  return syscall(kFaccessat2, directory, path, wanted, AT_EACCESS) == 0;
}

// open() as it was meant, through a system call that the filter lets pass: Landlock decides.
void reopen(const Trapped& call, const Registers& registers) {
  int next = 0;
  int directory = AT_FDCWD;
#ifdef SYS_open
  const bool plain = call.number == SYS_open;
#else
  const bool plain = false;
#endif
  if (!plain) directory = static_cast<int>(registers.argument(next++));
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is a pointer.
  const auto* path = reinterpret_cast<const char*>(registers.argument(next++));
  // The kernel takes 32 bits, and those it knows.
  constexpr std::uint64_t kKnownFlags =
      O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC |
      O_ASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE |
      // O_LARGEFILE, which is 0 where off_t has 64 bits.
      0100000;
  std::uint64_t flags = registers.argument(next++) & kKnownFlags;
  if (flags & O_PATH) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
  OpenHow how{flags, makes ? registers.argument(next) & 07777 : 0, 0};
  const long result = syscall(kOpenat2, directory, path, &how, sizeof how);
  const int error = errno;
  if (result < 0 && error == EACCES && is_forbidden(directory, path, flags)) end(call, path);
  registers.set_result(result < 0 ? -error : result);
}

void on_trap(int, siginfo_t* info, void* context) {
  const int saved = errno;
  const Registers registers(context);
  const Trapped* call = nullptr;
  for (std::size_t i = 0; i < trapped_count; ++i) {
    if (trapped[i].number == info->si_syscall) call = &trapped[i];
  }
  static constexpr Trapped kUnknown{-1, "something", Breach::kOther};
  if (info->si_code != kSeccomp || !call) end(kUnknown, nullptr);
  if (!Registers::kKnown) end(*call, nullptr);
  if (call->breach == Breach::kFile) {
    reopen(*call, registers);
  } else if (call->breach == Breach::kSocket) {
    const auto name = thread_name();
    bool ice = false;
    for (const std::string_view mine : kIceThreads) ice = ice || begins_with(name.data(), mine);
    if (!ice) end(*call, nullptr);
    registers.set_result(-EACCES);
  } else {
    end(*call, nullptr);
  }
  errno = saved;
}

}  // namespace

void trap_system_call(int number, const char* name, Breach breach) {
  for (std::size_t i = 0; i < trapped_count; ++i) {
    if (trapped[i].number == number) return;
  }
  if (trapped_count < trapped.size()) trapped[trapped_count++] = {number, name, breach};
}

void trap_quietly_below(const std::string& quiet_directory) {
  if (quiet_directory.size() < 2 || quiet_count == quiet.size()) return;
  const std::string prefix =
      quiet_directory.ends_with('/') ? quiet_directory : quiet_directory + '/';
  auto& place = quiet[quiet_count];
  if (prefix.size() >= place.size()) return;
  std::memcpy(place.data(), prefix.c_str(), prefix.size() + 1);
  ++quiet_count;
}

bool trap_can_answer() { return Registers::kKnown; }

bool trap_can_open() {
  OpenHow how{O_PATH | O_CLOEXEC, 0, 0};
  const long fd = syscall(kOpenat2, AT_FDCWD, "/", &how, sizeof how);
  if (fd >= 0) close(static_cast<int>(fd));
  return Registers::kKnown && (fd >= 0 || errno == EACCES);
}

std::string install_trap() {
  struct sigaction action {};
  action.sa_sigaction = on_trap;
  // A socket may be tried on two threads at once, and none of them waits for the other.
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaction(SIGSYS, &action, nullptr) == 0) return "";
  return "SIGSYS cannot be handled: " + std::generic_category().message(errno);
}

}  // namespace webrtcupload
