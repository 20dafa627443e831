// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session_memory.h"

#include <glib.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <sys/resource.h>

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;

TEST(SessionMemory, ExitsInsteadOfAborting) {
  const auto want = [](auto allocate) {
    rlimit none{};
    getrlimit(RLIMIT_CORE, &none);
    none.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &none);
    exit_when_out_of_memory();
    allocate();
  };
  // More than there is address space for.
  constexpr std::size_t kTooMuch = std::size_t{1} << 60U;
  EXPECT_EXIT(want([] { g_free(g_malloc(kTooMuch)); }), ::testing::ExitedWithCode(kExitNoMemory),
              "");
  EXPECT_EXIT(want([] { ::operator delete(::operator new(kTooMuch)); }),
              ::testing::ExitedWithCode(kExitNoMemory), "");
}

TEST(SessionMemory, IsAShareOfTheMachinesWithAFloor) {
  constexpr std::uint64_t kGibibyte = 1ULL << 30U;
  constexpr std::uint64_t kMebibyte = 1ULL << 20U;
  const Machine large{.memory = 64 * kGibibyte, .processors = 8};
  EXPECT_EQ(default_session_memory(large, 8, 0), 6 * kGibibyte);
  EXPECT_EQ(default_session_memory(large, 8, 4), 6 * kGibibyte);
  EXPECT_EQ(default_session_memory(large, 64, 0), kGibibyte + 8 * 32 * kMebibyte);
  EXPECT_EQ(default_session_memory(large, 64, 4), kGibibyte + (8 * 32 + 4 * 96) * kMebibyte);
  const Machine unknown{.memory = 0, .processors = 2};
  EXPECT_EQ(default_session_memory(unknown, 8, 0), kGibibyte + 2 * 32 * kMebibyte);
  EXPECT_EQ(default_session_memory(unknown, 8, 64), kGibibyte + (2 * 32 + 64 * 96) * kMebibyte);
}

TEST(SessionMemory, OfTheControlGroupWhereThatHasLess) {
  char name[] = "/tmp/webrtc-upload-machine-XXXXXX";
  const fs::path root = mkdtemp(name);
  const auto write = [&](const std::string& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text << "\n";
  };
  EXPECT_EQ(machine_memory(root), 0U);
  write("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB");
  EXPECT_EQ(machine_memory(root), 1024000U);
  // Version 2: any group above counts as well.
  write("proc/self/cgroup", "0::/a/b");
  write("sys/fs/cgroup/a/b/memory.max", "max");
  EXPECT_EQ(machine_memory(root), 1024000U);
  write("sys/fs/cgroup/a/memory.max", "500000");
  EXPECT_EQ(machine_memory(root), 500000U);
  // In a container the group is at the top.
  write("proc/self/cgroup", "0::/");
  EXPECT_EQ(machine_memory(root), 1024000U);
  write("sys/fs/cgroup/memory.max", "400000");
  EXPECT_EQ(machine_memory(root), 400000U);
  // Version 1.
  write("proc/self/cgroup", "5:cpu:/x\n4:cpuset,memory:/y\n0::/");
  write("sys/fs/cgroup/memory/y/memory.limit_in_bytes", "300000");
  EXPECT_EQ(machine_memory(root), 300000U);
  write("sys/fs/cgroup/memory/y/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(machine_memory(root), 400000U);
  fs::remove_all(root);
}

}  // namespace
}  // namespace webrtcupload
