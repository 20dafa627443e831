// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the other tests rest on when they say that they saw a full disk.

#include "hostile_system.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/vfs.h>
#include <unistd.h>

namespace webrtcupload::testing {
namespace {

constexpr long kTmpfs = 0x01021994;

long filesystem_of(const std::string& directory) {
  struct statfs status {};
  return ::statfs(directory.c_str(), &status) == 0 ? static_cast<long>(status.f_type) : -errno;
}

class Tmpfs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount a small filesystem";
    path_ = (std::filesystem::temp_directory_path() / "webrtcupload-test-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(path_.data()));
    std::filesystem::create_directory(path_ + "/inner");
    before_ = filesystem_of(path_ + "/inner");
  }
  void TearDown() override {
    if (path_.empty()) return;
    EXPECT_EQ(filesystem_of(path_ + "/inner"), before_) << "others saw it, or see it still";
    std::filesystem::remove_all(path_);
  }

  std::string path_;
  long before_ = 0;
};

TEST_F(Tmpfs, IsSeenByTheBodyAlone) {
  bool reached = false;
  const int error = run_with_tmpfs(path_ + "/inner", "size=64k", 0, [&] {
    std::ofstream(path_ + "/inner/file") << "text";
    EXPECT_EQ(filesystem_of(path_ + "/inner"), kTmpfs);
    std::thread([&] { EXPECT_EQ(filesystem_of(path_ + "/inner"), kTmpfs); }).join();
    reached = true;
  });
  if (error == EPERM) GTEST_SKIP() << "this root may not mount";
  ASSERT_EQ(error, 0);
  EXPECT_TRUE(reached);
  EXPECT_TRUE(std::filesystem::is_empty(path_ + "/inner"));
}

// Nothing is mounted on the root of a plain chroot.
TEST_F(Tmpfs, NeedsNoRootThatIsAMountPoint) {
  bool reached = false;
  int error = 0;
  std::thread([&] {
    if (::unshare(CLONE_FS) != 0 || ::chroot(path_.c_str()) != 0 || ::chdir("/") != 0) {
      error = errno;
      return;
    }
    error = run_with_tmpfs("/inner", "size=64k", 0, [&] {
      EXPECT_EQ(filesystem_of("/inner"), kTmpfs);
      reached = true;
    });
  }).join();
  if (error == EPERM) GTEST_SKIP() << "this root may not mount, or not change its root";
  ASSERT_EQ(error, 0);
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace webrtcupload::testing
