// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much of the disk an upload takes and when, and which disk that is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#include "core/spool.h"
#include "core/upload_limits.h"
#include "hostile_system.h"
#include "receiver_driver.h"
#include "spool_files.h"

namespace webrtcupload::testing {
namespace {

using ::testing::HasSubstr;

// What is taken ahead does not grow with what is announced, only with what has come.
TEST(ReceiverSpace, ReservesAheadInSteps) {
  constexpr std::uint32_t kChunk = 60'000;
  constexpr std::uint32_t kTotal = 1000;
  ReceiverDriver driver;
  const Bytes payload = pattern(kChunk);
  for (std::uint32_t i = 0; i < kTotal; ++i) {
    ASSERT_TRUE(driver.chunk(i, kTotal, payload).stored);
    const std::uint64_t stored = (i + 1) * std::uint64_t{kChunk};
    ASSERT_TRUE(driver.memory().reserved);
    EXPECT_GE(*driver.memory().reserved, stored);
    EXPECT_LE(*driver.memory().reserved, stored + kReserveStep);
  }
  EXPECT_EQ(driver.memory().expected, std::uint64_t{kTotal} * kChunk);
  EXPECT_EQ(driver.memory().reserved, std::uint64_t{kTotal} * kChunk) << "and no more than needed";
  EXPECT_EQ(driver.memory().reservations, 4U) << "60 MB in steps of 16 MiB";
}

// The first chunk says too little when a later one is larger.
TEST(ReceiverSpace, ReservesForLargerChunksThanTheFirst) {
  ReceiverDriver driver;
  driver.chunk(0, 3, pattern(10, 0));
  EXPECT_EQ(driver.memory().reserved, 30U);
  driver.chunk(1, 3, pattern(50, 1));
  EXPECT_EQ(driver.memory().reserved, 110U);
  EXPECT_EQ(driver.memory().expected, 30U) << "room is only looked for before the upload begins";
  driver.chunk(2, 3, pattern(20, 2));
  EXPECT_EQ(driver.memory().reservations, 2U);
}

// The bytes of disk that the file takes, whatever its size says.
std::uint64_t disk_space(const std::string& directory) {
  const std::vector<int> descriptors = descriptors_in(directory);
  struct stat status {};
  if (descriptors.size() != 1 || ::fstat(descriptors[0], &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

// A peer may announce what it likes: disk space is taken for what comes, and a step more.
TEST(SpoolSpace, TakesDiskSpaceInSteps) {
  constexpr std::uint64_t kSlack = 1024 * 1024;  // What the filesystem needs for itself.
  constexpr std::uint32_t kTotal = 5000;
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  ReceiverDriver driver({}, *spool);
  const Bytes payload = pattern(65'000);
  std::uint64_t arrived = 0;
  for (std::uint32_t i = 0; i < 600; ++i) {
    ASSERT_TRUE(driver.chunk(i, kTotal, payload).stored);
    arrived += payload.size();
    const std::uint64_t taken = disk_space(directory.path());
    ASSERT_GE(taken + kSlack, arrived);
    ASSERT_LE(taken, arrived + kReserveStep + kSlack) << "with " << arrived << " bytes there";
    // Ahead of what has come, where the filesystem can do that.
    if (i == 0 &&
        ::fallocate(descriptors_in(directory.path())[0], FALLOC_FL_KEEP_SIZE, 0, 1) == 0) {
      ASSERT_GE(taken, kReserveStep);
    }
  }
}

// Before anything is stored of it, and although the first step would fit.
TEST(SpoolSpace, ExpectsNoMoreThanIsFree) {
  const TemporaryDirectory directory;
  on_a_small_disk(directory, [&] {
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    const std::optional<Error> error = spool->reserve(4096, 256 * 1024 + 1);
    expect_storage_error(error, ENOSPC, directory.path());
    EXPECT_THAT(error->message, HasSubstr("262145 bytes"));
    EXPECT_EQ(disk_space(directory.path()), 0U);
    // What it has already counts as room for it.
    EXPECT_EQ(spool->reserve(128 * 1024, 256 * 1024), std::nullopt);
    EXPECT_EQ(spool->reserve(192 * 1024, 256 * 1024), std::nullopt);
    EXPECT_EQ(disk_space(directory.path()), 192U * 1024);
  });
}

// Many filesystems keep room that only root may take, and a server is not to take it, root or not.
TEST(SpoolSpace, ExpectsNothingOfWhatIsKeptForRoot) {
  constexpr std::uint64_t kBlock = 4096;
  constexpr std::uint64_t kAvailable = 10;
  const TemporaryDirectory directory;
  const AnswerToCall most_is_kept = [](const seccomp_data& call, seccomp_notif_resp&) {
    struct statfs said = {};
    said.f_bsize = said.f_frsize = kBlock;
    said.f_blocks = said.f_bfree = 1000;
    said.f_bavail = kAvailable;
    said.f_flags = 0x20;  // ST_VALID, of the kernel's: `f_flags` holds all there is to know.
    // As the kernel writes it: the thread that waits is one of this process, and the thread
    // sanitizer would take a plain write for a race with it.
    const iovec from{&said, sizeof said};
    const iovec to{reinterpret_cast<void*>(call.args[1]), sizeof said};
    EXPECT_EQ(::process_vm_writev(::getpid(), &from, 1, &to, 1, 0),
              static_cast<ssize_t>(sizeof said));
  };
  const bool runs = run_with_answered_call(SYS_fstatfs, most_is_kept, [&] {
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    expect_storage_error(spool->reserve(kBlock, kAvailable * kBlock + 1), ENOSPC, directory.path());
    EXPECT_EQ(spool->reserve(kBlock, kAvailable * kBlock), std::nullopt);
  });
  if (!runs) GTEST_SKIP() << "this kernel does not let its calls be answered";
}

// Where uploads go that nobody has said a directory for.
TEST(SpoolSpace, DefaultDirectory) {
  const char* before = std::getenv("TMPDIR");
  const std::optional<std::string> kept =
      before ? std::optional<std::string>(before) : std::nullopt;
  ::unsetenv("TMPDIR");
  EXPECT_EQ(Spool::default_directory(), "/var/tmp");
  ::setenv("TMPDIR", "", 1);
  EXPECT_EQ(Spool::default_directory(), "/var/tmp");
  ::setenv("TMPDIR", "/some/where", 1);
  EXPECT_EQ(Spool::default_directory(), "/some/where");
  if (kept) {
    ::setenv("TMPDIR", kept->c_str(), 1);
  } else {
    ::unsetenv("TMPDIR");
  }
}

TEST(SpoolSpace, KnowsWhatTakesMemory) {
  EXPECT_FALSE(Spool::is_in_memory("/proc"));
  EXPECT_FALSE(Spool::is_in_memory("/no/such/directory"));
  const TemporaryDirectory directory;
  on_a_small_disk(directory, [&] { EXPECT_TRUE(Spool::is_in_memory(directory.path())); });
}

}  // namespace
}  // namespace webrtcupload::testing
