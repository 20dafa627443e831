// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_syscalls.h"

#ifdef HAVE_LIBSECCOMP

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <linux/netlink.h>
#include <memory>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "tool/sandbox/sandbox_trap.h"

namespace webrtcupload {
namespace {

struct Forbidden {
  const char* name;
  Breach breach;
};
// Whatever their arguments are.
constexpr Forbidden kForbidden[] = {
    {"execve", Breach::kProgram},
    {"execveat", Breach::kProgram},
    {"fork", Breach::kProgram},
    {"vfork", Breach::kProgram},
    {"uselib", Breach::kProgram},
    {"ptrace", Breach::kProcess},
    {"process_vm_readv", Breach::kProcess},
    {"process_vm_writev", Breach::kProcess},
    {"pidfd_getfd", Breach::kProcess},
    {"pidfd_send_signal", Breach::kProcess},
    {"kcmp", Breach::kProcess},
    {"unshare", Breach::kPlace},
    {"setns", Breach::kPlace},
    {"mount", Breach::kPlace},
    {"umount", Breach::kPlace},
    {"umount2", Breach::kPlace},
    {"pivot_root", Breach::kPlace},
    {"chroot", Breach::kPlace},
    {"move_mount", Breach::kPlace},
    {"open_tree", Breach::kPlace},
    {"mount_setattr", Breach::kPlace},
    {"fsopen", Breach::kPlace},
    {"fsconfig", Breach::kPlace},
    {"fsmount", Breach::kPlace},
    {"fspick", Breach::kPlace},
    {"open_by_handle_at", Breach::kPlace},
    {"keyctl", Breach::kKernel},
    {"add_key", Breach::kKernel},
    {"request_key", Breach::kKernel},
    {"bpf", Breach::kKernel},
    {"perf_event_open", Breach::kKernel},
    {"userfaultfd", Breach::kKernel},
    {"io_uring_setup", Breach::kKernel},
    {"io_uring_enter", Breach::kKernel},
    {"io_uring_register", Breach::kKernel},
    {"kexec_load", Breach::kKernel},
    {"kexec_file_load", Breach::kKernel},
    {"init_module", Breach::kKernel},
    {"finit_module", Breach::kKernel},
    {"delete_module", Breach::kKernel},
    {"fanotify_init", Breach::kKernel},
    {"syslog", Breach::kKernel},
    {"reboot", Breach::kKernel},
    {"swapon", Breach::kKernel},
    {"swapoff", Breach::kKernel},
    {"acct", Breach::kKernel},
    {"iopl", Breach::kKernel},
    {"ioperm", Breach::kKernel},
    {"sethostname", Breach::kKernel},
    {"setdomainname", Breach::kKernel},
    {"settimeofday", Breach::kKernel},
    {"clock_settime", Breach::kKernel},
};
// Landlock has no rules for these: they change files that need not be opened for it. And users and
// capabilities stay as they are. Libraries that try get an error.
constexpr const char* kRefused[] = {
    "truncate",
    "truncate64",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "chown32",
    "fchown32",
    "lchown32",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "removexattrat",
    "utime",
    "utimes",
    "utimensat",
    "utimensat_time64",
    "futimesat",
    "quotactl",
    "quotactl_fd",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "pidfd_open",
    "name_to_handle_at",
    "process_madvise",
    "process_mrelease",
    "adjtimex",
    "clock_adjtime",
    "personality",
    // Memory and messages that it shares with other processes of its user.
    "shmget",
    "shmat",
    "semget",
    "semop",
    "semtimedop",
    "msgget",
    "msgsnd",
    "msgrcv",
    "mq_open",
    "mq_unlink",
};

// What seccomp_load() does for all threads, or only for this one.
enum class Threads { kThis, kAll };

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW), seccomp_release) {
    if (!context_) note(-ENOMEM, "seccomp_init");
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // A tree of comparisons instead of a list.
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }

  // Comparisons of one rule are all to hold.
  template <typename... Comparisons>
  void trap(const char* name, Breach breach, Comparisons... comparisons) {
    const int number = seccomp_syscall_resolve_name(name);
    // Of another architecture, or newer than the library.
    if (number < 0) return;
    trap_system_call(number, name, breach);
    add(SCMP_ACT_TRAP, number, name, comparisons...);
  }
  template <typename... Comparisons>
  void refuse(const char* name, int error, Comparisons... comparisons) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number >= 0) {
      add(SCMP_ACT_ERRNO(static_cast<unsigned>(error)), number, name, comparisons...);
    }
  }

  [[nodiscard]] std::string load(Threads threads) {
    if (threads == Threads::kAll) set(SCMP_FLTATR_CTL_TSYNC, 1);
    // It is known to be set.
    set(SCMP_FLTATR_CTL_NNP, 0);
    if (problem_.empty()) note(seccomp_load(context_.get()), "seccomp_load");
    return problem_;
  }

 private:
  template <typename... Comparisons>
  void add(std::uint32_t action, int number, const char* name, Comparisons... comparisons) {
    const std::array<scmp_arg_cmp, sizeof...(comparisons) + 1> all = {comparisons...,
                                                                      scmp_arg_cmp{}};
    note(seccomp_rule_add_array(context_.get(), action, number, sizeof...(comparisons), all.data()),
         name);
  }
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    note(seccomp_attr_set(context_.get(), attribute, value), "seccomp_attr_set");
  }
  void note(int result, const char* what) {
    if (result >= 0 || !problem_.empty()) return;
    problem_ = std::string("seccomp: ") + what + ": " + std::generic_category().message(-result);
  }

  const std::unique_ptr<void, decltype(&seccomp_release)> context_;
  std::string problem_;
};

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
// Of an int, of which the kernel takes no more than 32 bits of the register.
scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return masked(argument, 0xffffffff, value);
}
scmp_arg_cmp differs(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_NE, value, 0};
}
scmp_arg_cmp above(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_GT, value, 0};
}

// Threads are made, processes are not. The flags of clone3() are where the filter cannot read them:
// the C library then makes threads with clone().
void forbid_processes(Filter& filter) {
  filter.refuse("clone3", ENOSYS);
#if !defined(__s390__) && !defined(__s390x__)
  filter.trap("clone", Breach::kProgram, masked(0, CLONE_THREAD, 0));
  for (const std::uint64_t flag :
       {std::uint64_t{CLONE_NEWNS}, std::uint64_t{CLONE_NEWCGROUP}, std::uint64_t{CLONE_NEWUTS},
        std::uint64_t{CLONE_NEWIPC}, std::uint64_t{CLONE_NEWUSER}, std::uint64_t{CLONE_NEWPID},
        std::uint64_t{CLONE_NEWNET}}) {
    filter.trap("clone", Breach::kProgram, masked(0, flag, flag));
  }
#endif
  const auto self = static_cast<std::uint64_t>(getpid());
  for (const char* name : {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}) {
    filter.trap(name, Breach::kProcess, differs(0, self));
  }
  // By the number of a thread, which may be another process'; no C library uses it.
  filter.trap("tkill", Breach::kProcess);
  // Signals by way of a descriptor, and limits of other processes of the same user.
  for (const std::uint64_t operation : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {
    filter.refuse("fcntl", EPERM, equals(1, operation));
  }
  filter.refuse("prlimit64", EPERM, differs(0, 0));
}

// Of ICE: UDP and TCP, and the kernel's list of addresses.
void forbid_other_sockets(Filter& filter) {
  constexpr std::uint64_t kLastFamily = AF_NETLINK;
  static_assert(AF_INET < AF_NETLINK && AF_INET6 < AF_NETLINK);
  for (std::uint64_t family = 0; family < kLastFamily; ++family) {
    if (family != AF_INET && family != AF_INET6) {
      filter.refuse("socket", EACCES, equals(0, family));
    }
  }
  filter.refuse("socket", EACCES, above(0, kLastFamily));
  filter.refuse("socket", EACCES, equals(0, AF_NETLINK), differs(2, NETLINK_ROUTE));
  constexpr std::uint64_t kTypes = 0xf;
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    for (std::uint64_t type = 0; type <= kTypes; ++type) {
      if (type != SOCK_STREAM && type != SOCK_DGRAM) {
        filter.refuse("socket", EACCES, equals(0, family), masked(1, kTypes, type));
      }
    }
    // MPTCP, SCTP, UDP-Lite and their like.
    for (std::uint64_t protocol = 1; protocol <= IPPROTO_UDP; ++protocol) {
      if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
        filter.refuse("socket", EACCES, equals(0, family), equals(2, protocol));
      }
    }
    filter.refuse("socket", EACCES, equals(0, family), above(2, IPPROTO_UDP));
  }
}

// Those of other families than ICE's have been refused from the start, and libraries try them in
// good faith: a lookup of a user, a list of addresses.
void forbid_new_sockets(Filter& filter) {
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    if (trap_can_answer()) {
      filter.trap("socket", Breach::kSocket, equals(0, family));
    } else {
      filter.refuse("socket", EACCES, equals(0, family));
    }
  }
  filter.refuse("socket", EACCES, equals(0, AF_NETLINK));
}

}  // namespace

bool seccomp_works() { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && seccomp_api_get() >= 2; }

std::string forbid_what_no_session_needs(bool network) {
  Filter filter;
  for (const Forbidden& call : kForbidden) filter.trap(call.name, call.breach);
  for (const char* name : kRefused) filter.refuse(name, EPERM);
  // To write into the terminal as if its user did.
  filter.refuse("ioctl", EPERM, equals(1, TIOCSTI));
  filter.refuse("ioctl", EPERM, equals(1, TIOCLINUX));
  forbid_processes(filter);
  if (!network) forbid_other_sockets(filter);
  if (std::string problem = install_trap(); !problem.empty()) return problem;
  // The second filter's calls, so that the table is complete before there are threads.
  for (const char* name : {"socket", "open", "openat"}) {
    const int number = seccomp_syscall_resolve_name(name);
    const Breach breach = name[0] == 's' ? Breach::kSocket : Breach::kFile;
    if (number >= 0) trap_system_call(number, name, breach);
  }
  return filter.load(Threads::kThis);
}

std::string forbid_what_an_upload_does_not_need(bool network, SandboxClosing what) {
  Filter filter;
  if (what != SandboxClosing::kFiles && !network) forbid_new_sockets(filter);
  // Not forbidden, but looked at: see reopen() in sandbox_trap.cpp.
  if (what != SandboxClosing::kSockets && trap_can_open()) {
    filter.trap("open", Breach::kFile);
    filter.trap("openat", Breach::kFile);
  }
  return filter.load(Threads::kAll);
}

}  // namespace webrtcupload

#else  // Without libseccomp.

namespace webrtcupload {

bool seccomp_works() { return false; }
std::string forbid_what_no_session_needs(bool) { return "built without libseccomp"; }
std::string forbid_what_an_upload_does_not_need(bool, SandboxClosing) {
  return "built without libseccomp";
}

}  // namespace webrtcupload

#endif
