// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A system that says no: system calls that fail, full and read-only filesystems. Each is confined
// to a thread of its own, so that nothing has to be put back, not even after a crash.

#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <future>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace webrtcupload::testing {

// Which calls of one system call fail, and how. With `mask`, only those whose argument number
// `argument` has all bits of it set.
struct FailingCall {
  int number;
  int error;
  unsigned argument = 0;
  std::uint32_t mask = 0;
};

// Runs `body` on a thread for which the kernel fails that call. False, and nothing was run, where
// the kernel has no seccomp filters.
inline bool run_with_failing_call(const FailingCall& call, const std::function<void()>& body) {
  bool filtered = false;
  std::thread([&] {
    const auto low_half =
        static_cast<std::uint32_t>(offsetof(seccomp_data, args) + call.argument * 8);
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.number), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call.mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.mask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof code / sizeof code[0], code};
    filtered = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (filtered) body();
  }).join();
  return filtered;
}

// What a call of a system call comes to instead: an answer with which it fails or succeeds without
// having been made, or one that lets it go on.
using AnswerToCall = std::function<void(const seccomp_data& call, seccomp_notif_resp& answer)>;

// Runs `body` on a thread whose calls of that system call get these answers, in turn. False, and
// nothing was run, where the kernel cannot do that.
inline bool run_with_answered_call(int number, const AnswerToCall& answer_to,
                                   const std::function<void()>& body) {
  std::promise<int> installed;
  std::thread thread([&] {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof code / sizeof code[0], code};
    const bool may = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    const auto listener =
        may ? static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                         SECCOMP_FILTER_FLAG_NEW_LISTENER, &program))
            : -1;
    installed.set_value(listener);
    if (listener >= 0) body();
  });
  const int listener = installed.get_future().get();
  // Until the thread has ended.
  pollfd waits{listener, POLLIN, 0};
  while (listener >= 0 && ::poll(&waits, 1, -1) > 0 && (waits.revents & POLLIN)) {
    seccomp_notif call{};
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) break;
    seccomp_notif_resp answer{};
    answer.id = call.id;
    answer_to(call.data, answer);
    ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  // Calls fail from then on, should there be any.
  if (listener >= 0) ::close(listener);
  thread.join();
  return listener >= 0;
}

// Runs `body` on a thread whose first call of that system call is interrupted by a signal, as it
// may be on a filesystem of a network. Gives the number of calls that were made, or nothing, and
// nothing was run, where the kernel cannot do that.
inline std::optional<int> run_with_interrupted_call(int number, const std::function<void()>& body) {
  int calls = 0;
  const AnswerToCall interrupt_first = [&](const seccomp_data&, seccomp_notif_resp& answer) {
    if (calls++ == 0) {
      answer.error = -EINTR;
    } else {
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
  };
  return run_with_answered_call(number, interrupt_first, body) ? std::optional(calls)
                                                               : std::nullopt;
}

// For a thread with mounts of its own: what it mounts on `directory` is to be seen by nobody else.
// Returns 0, or an errno.
inline int keep_mounts_to_ourselves(const std::string& directory) {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return 0;
  // In a root that is no mount point, a plain chroot, `directory` becomes one.
  if (errno != EINVAL || ::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) ||
      ::mount("none", directory.c_str(), nullptr, MS_PRIVATE, nullptr)) {
    return errno;
  }
  return 0;
}

// Runs `body` on a thread that sees a tmpfs with `options` mounted on `directory`, and nobody else
// does. Returns 0, or the errno of what this process may not do (nothing was run then).
inline int run_with_tmpfs(const std::string& directory, const std::string& options,
                          unsigned long flags, const std::function<void()>& body) {
  int error = 0;
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) != 0) {
      error = errno;
    } else {
      error = keep_mounts_to_ourselves(directory);
    }
    if (error == 0 && ::mount("none", directory.c_str(), "tmpfs", flags, options.c_str()) != 0) {
      error = errno;
    }
    if (error == 0) body();
  }).join();
  return error;
}

}  // namespace webrtcupload::testing
