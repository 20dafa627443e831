// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox.h"

#include <glib.h>

#include <csignal>
#include <filesystem>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "tool/sandbox/sandbox_landlock.h"
#include "tool/sandbox/sandbox_limits.h"
#include "tool/sandbox/sandbox_paths.h"
#include "tool/sandbox/sandbox_ports.h"
#include "tool/sandbox/sandbox_syscalls.h"
#include "tool/sandbox/sandbox_trap.h"
#include "tool/sandbox/sandbox_user.h"

namespace webrtcupload {
namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

void append(SandboxPaths& paths, const SandboxPaths& more) {
  paths.read.insert(paths.read.end(), more.read.begin(), more.read.end());
  paths.write.insert(paths.write.end(), more.write.begin(), more.write.end());
}

bool has_one_thread() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return error || std::distance(begin(tasks), end(tasks)) == 1;
}

// All problems of one step after the other.
class Problems {
 public:
  void add(const std::string& problem) {
    if (!problem.empty()) text_ += (text_.empty() ? "" : "; ") + problem;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string prepare_filters(const SandboxConfig& config) {
  // What libraries keep for themselves, and look for in good faith.
  trap_quietly_below(g_get_user_cache_dir());
  trap_quietly_below(g_get_user_config_dir());
  trap_quietly_below(std::string(g_get_home_dir()) + "/.nv");
  return forbid_what_no_session_needs(config.network);
}

}  // namespace

SandboxParts sandbox_parts() {
  return {.landlock = landlock_version(), .seccomp = seccomp_works(), .root = geteuid() == 0};
}

std::string describe_sandbox(const SandboxParts& parts, const SandboxConfig& config,
                             bool isolated) {
  if (!isolated) return "sandbox: none, since sessions have no process of their own";
  if (config.mode == SandboxMode::kOff) return "sandbox: off";
  std::vector<std::string> held;
  std::vector<std::string> missing;
  if (parts.landlock >= kLandlockForFiles) {
    std::string rules = "files";
    if (parts.landlock >= kLandlockForTcp && !config.network) rules += ", TCP";
    if (parts.landlock >= kLandlockForSignals) rules += ", signals";
    held.push_back("Landlock (version " + std::to_string(parts.landlock) + ": " + rules + ")");
  } else {
    missing.emplace_back("Landlock, which this kernel does not have: files can be read");
  }
  if (parts.landlock >= kLandlockForFiles && parts.landlock < kLandlockForTcp && !config.network) {
    missing.emplace_back("Landlock for TCP, which is newer than this kernel");
  }
  if (parts.seccomp) {
    held.emplace_back(config.network ? "seccomp (system calls)"
                                     : "seccomp (system calls, sockets)");
  } else {
    missing.emplace_back("seccomp, which this build or this kernel does not have");
  }
  held.emplace_back("no_new_privs");
  held.emplace_back("limits");
  if (!config.user.empty()) {
    held.push_back("the user " + config.user);
  } else if (parts.root) {
    missing.emplace_back("a user other than root (--session-user)");
  }
  std::string text = "sandbox: each session has " + join(held);
  if (!missing.empty()) text += "; it has not: " + join(missing);
  if (config.network) text += "; sockets are allowed (--sandbox-network)";
  return text;
}

std::string missing_for_strict(const SandboxParts& parts, const SandboxConfig& config,
                               bool isolated) {
  if (!isolated) return "there is no process to shut in with --isolation none";
  if (parts.landlock < kLandlockForFiles) return "this kernel does not have Landlock";
  if (parts.landlock < kLandlockForTcp && !config.network) {
    return "Landlock of this kernel has no rules for TCP (version " +
           std::to_string(parts.landlock) + ", needed is " + std::to_string(kLandlockForTcp) + ")";
  }
  if (!parts.seccomp) return "this build or this kernel does not have seccomp";
  if (parts.root && config.user.empty()) {
    return "sessions would run as root: name a user for them with --session-user";
  }
  return "";
}

std::string enter_sandbox(const SessionConfig& config) {
  const SandboxConfig& sandbox = config.sandbox;
  const SandboxParts parts = sandbox_parts();
  Problems problems;
  std::optional<Landlock> landlock;
  if (sandbox.mode != SandboxMode::kOff) {
    limit_time_and_files(config);
    if (!has_one_thread()) problems.add("there are threads already, which are not restricted");
    SandboxPaths paths = paths_of_every_session();
    append(paths, sandbox.paths);
    if (sandbox.hardware) append(paths, paths_of_hardware());
    std::optional<LandlockPorts> ports;
    if (!sandbox.network) ports = ports_of_ice(config);
    std::string problem;
    if (parts.landlock >= kLandlockForFiles) {
      landlock = Landlock::prepare(paths, ports, problem);
    }
    problems.add(problem);
  }
  if (!sandbox.user.empty()) {
    if (const std::string problem = become_user(sandbox.user); !problem.empty()) {
      // With the server's rights it must not go on, whatever the mode.
      g_printerr("webrtc-upload session: %s\n", problem.c_str());
      _exit(1);
    }
    // Which the change of the user has taken back.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  if (sandbox.mode == SandboxMode::kOff) return "";
  if (sandbox.user.empty()) problems.add(drop_capabilities());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) problems.add("no_new_privs cannot be set");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) problems.add("others of its user may look into it");
  if (landlock) problems.add(landlock->enter());
  if (parts.seccomp) problems.add(prepare_filters(sandbox));
  return problems.text();
}

std::string close_sandbox(const SandboxConfig& config, SandboxClosing what) {
  if (config.mode == SandboxMode::kOff || !seccomp_works()) return "";
  return forbid_what_an_upload_does_not_need(config.network, what);
}

}  // namespace webrtcupload
