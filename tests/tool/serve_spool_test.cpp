// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where `webrtc-upload serve` keeps uploads, and what it says about that.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>

#include "process.h"
#include "server.h"
#include "support/odd_directory.h"

namespace webrtcupload::test {
namespace {

using ::testing::HasSubstr;

TEST(ServeSpool, SaysThatUploadsAreInMemory) {
  const TemporaryDirectory directory;
  const std::string& spool = directory.path();
  const std::string warning = "uploads are kept in \"" + spool + "\", whose files are in memory";
  const int error = run_with_tmpfs(spool, "size=1m", 0, [&] {
    Server server({"--spool-directory", spool}, kDecode);
    EXPECT_TRUE(eventually([&] {
      return server.process().errors().find(warning) != std::string::npos;
    })) << server.process().errors();
  });
  if (error == EPERM) GTEST_SKIP() << "this user may not mount";
  ASSERT_EQ(error, 0);
}

// Where nobody names a directory it is TMPDIR's.
TEST(ServeSpool, IsWhereTmpdirSays) {
  const char* before = getenv("TMPDIR");
  const std::optional<std::string> kept =
      before ? std::optional<std::string>(before) : std::nullopt;
  const TemporaryDirectory directory;
  const std::string nowhere = directory.path() + "/nowhere";
  ASSERT_EQ(setenv("TMPDIR", nowhere.c_str(), 1), 0);
  Process process({program(), "serve", "--port", "0", "--pipeline", kDecode});
  const auto status = process.wait_for_exit();
  if (kept) {
    setenv("TMPDIR", kept->c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
  EXPECT_EQ(status, 1);
  EXPECT_THAT(process.errors(), HasSubstr(nowhere));
}

}  // namespace
}  // namespace webrtcupload::test
