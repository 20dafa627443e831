// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_user.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <grp.h>
#include <linux/capability.h>
#include <optional>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace webrtcupload {
namespace {

struct User {
  uid_t user;
  gid_t group;
};

std::optional<User> find_user(const std::string& name) {
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
    return std::nullopt;
  }
  return User{entry.pw_uid, entry.pw_gid};
}

std::string failure(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

// Those of `kept` that the process has stay in force; no other can be had again.
std::string keep_capabilities(std::uint64_t kept) {
  // The set that bounds what may be had in future can only be changed with CAP_SETPCAP, and matters
  // no more with no_new_privs.
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return failure("capabilities");
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto mask = static_cast<std::uint32_t>(kept >> (32 * i));
    sets[i].effective &= mask;
    sets[i].permitted &= mask;
    sets[i].inheritable = 0;
  }
  return syscall(SYS_capset, &header, sets.data()) == 0 ? "" : failure("capabilities");
}

}  // namespace

std::string check_user(const std::string& name) {
  const auto user = find_user(name);
  if (!user) return "there is no user \"" + name + "\"";
  if (user->user == 0) return "\"" + name + "\" is root";
  return "";
}

std::string become_user(const std::string& name) {
  const auto user = find_user(name);
  if (!user) return "there is no user \"" + name + "\"";
  if (setgroups(0, nullptr) != 0) return failure("the groups cannot be dropped");
  if (setresgid(user->group, user->group, user->group) != 0 ||
      setresuid(user->user, user->user, user->user) != 0) {
    return failure("the process cannot become \"" + name + "\"");
  }
  return keep_capabilities(0);
}

std::string drop_capabilities() {
  return keep_capabilities(std::uint64_t{1} << CAP_NET_ADMIN | std::uint64_t{1}
                                                                   << CAP_DAC_OVERRIDE);
}

}  // namespace webrtcupload
