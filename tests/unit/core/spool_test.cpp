// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Real files on real filesystems, some of them full, read-only or odd.

#include "core/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "hostile_system.h"
#include "receiver_driver.h"
#include "spool_files.h"

namespace webrtcupload::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void expect_open_fails(const std::string& directory, int error_number) {
  const std::size_t before = open_descriptors();
  const auto opened = Spool::open(directory);
  ASSERT_FALSE(opened);
  expect_storage_error(opened.error(), error_number, directory);
  EXPECT_EQ(open_descriptors(), before);
}

void expect_round_trip(Spool& spool) {
  const Bytes first = pattern(100'000, 1);
  const Bytes second = pattern(49'152, 2);
  ASSERT_EQ(spool.write(0, first), std::nullopt);
  ASSERT_EQ(spool.write(first.size(), second), std::nullopt);
  Bytes back(second.size());
  ASSERT_EQ(spool.read(first.size(), back), std::nullopt);
  EXPECT_EQ(back, second);
  back.resize(first.size());
  ASSERT_EQ(spool.read(0, back), std::nullopt);
  EXPECT_EQ(back, first);
  Bytes across(20);
  ASSERT_EQ(spool.read(first.size() - 10, across), std::nullopt);
  EXPECT_TRUE(std::equal(across.begin(), across.begin() + 10, first.end() - 10));
  EXPECT_TRUE(std::equal(across.begin() + 10, across.end(), second.begin()));
}

// Nameless for good, private, and not handed down to child processes.
void expect_nameless(const TemporaryDirectory& directory) {
  EXPECT_THAT(directory.entries(), IsEmpty());
  const std::vector<int> descriptors = descriptors_in(directory.path());
  ASSERT_EQ(descriptors.size(), 1U);
  struct stat status {};
  ASSERT_EQ(::fstat(descriptors[0], &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_NE(::fcntl(descriptors[0], F_GETFD) & FD_CLOEXEC, 0);
  const std::string link = "/proc/self/fd/" + std::to_string(descriptors[0]);
  const std::string name = directory.path() + "/name";
  EXPECT_NE(::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW), 0);
}

TEST(Spool, WritesAndReads) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  expect_round_trip(*spool);
}

TEST(Spool, NothingToWriteOrRead) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  EXPECT_EQ(spool->reserve(0, 0), std::nullopt);
  EXPECT_EQ(spool->write(0, {}), std::nullopt);
  EXPECT_EQ(spool->read(0, {}), std::nullopt);
  EXPECT_EQ(spool->read(1000, {}), std::nullopt);
}

TEST(Spool, PositionsBeyond32Bits) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  const std::uint64_t position = (1ULL << 32) + 5;
  const Bytes bytes = pattern(50);
  ASSERT_EQ(spool->write(position, bytes), std::nullopt);
  Bytes back(50);
  ASSERT_EQ(spool->read(position, back), std::nullopt);
  EXPECT_EQ(back, bytes);
  // Not where the position's lower half points.
  ASSERT_EQ(spool->read(5, back), std::nullopt);
  EXPECT_THAT(back, Each(0));
}

TEST(Spool, LeavesNoNameAndClosesItsDescriptor) {
  const TemporaryDirectory directory;
  const std::size_t before = open_descriptors();
  {
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    EXPECT_EQ(open_descriptors(), before + 1);
    expect_nameless(directory);
    EXPECT_EQ(spool->write(0, pattern(10)), std::nullopt);
    EXPECT_THAT(directory.entries(), IsEmpty());
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_THAT(directory.entries(), IsEmpty());
}

// For a process that opens the file before it may open none.
TEST(Spool, OnAFileThatIsOpenAlready) {
  const TemporaryDirectory directory;
  const std::size_t before = open_descriptors();
  const auto fd = Spool::open_file(directory.path());
  ASSERT_TRUE(fd);
  EXPECT_THAT(directory.entries(), IsEmpty());
  for (int run = 0; run < 2; ++run) {
    const auto spool = Spool::on_file(fd.value(), directory.path());
    ASSERT_TRUE(spool);
    // What was there is gone.
    std::vector<std::uint8_t> read_back(10);
    EXPECT_TRUE(spool.value()->read(0, read_back));
    EXPECT_EQ(spool.value()->write(0, pattern(10)), std::nullopt);
    EXPECT_EQ(spool.value()->read(0, read_back), std::nullopt);
  }
  // It is the caller's.
  EXPECT_EQ(open_descriptors(), before + 1);
  EXPECT_EQ(::close(fd.value()), 0);
  const auto closed = Spool::on_file(fd.value(), directory.path());
  ASSERT_FALSE(closed);
  expect_storage_error(closed.error(), EBADF, directory.path());
}

TEST(Spool, WithoutTmpfileSupport) {
  for (const int error : {EOPNOTSUPP, EISDIR, EINVAL}) {
    SCOPED_TRACE(error);
    const TemporaryDirectory directory;
    bool reached = false;
    if (!run_with_failing_call({SYS_openat, error, 2, O_TMPFILE}, [&] {
          const auto spool = open_spool(directory.path());
          ASSERT_TRUE(spool);
          expect_nameless(directory);
          expect_round_trip(*spool);
          reached = true;
        })) {
      GTEST_SKIP() << "no seccomp filters here";
    }
    EXPECT_TRUE(reached);
    EXPECT_THAT(directory.entries(), IsEmpty());
    EXPECT_THAT(descriptors_in(directory.path()), IsEmpty());
  }
}

TEST(Spool, OtherOpenErrorsAreNotTakenForMissingSupport) {
  const TemporaryDirectory directory;
  for (const int error : {ENOSPC, EMFILE, EACCES}) {
    if (!run_with_failing_call({SYS_openat, error, 2, O_TMPFILE}, [&] {
          const auto opened = Spool::open(directory.path());
          ASSERT_FALSE(opened);
          expect_storage_error(opened.error(), error, directory.path());
        })) {
      GTEST_SKIP() << "no seccomp filters here";
    }
  }
}

TEST(Spool, MissingDirectory) {
  const TemporaryDirectory directory;
  expect_open_fails(directory.path() + "/not/there", ENOENT);
  expect_open_fails("", ENOENT);
}

TEST(Spool, NotADirectory) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/file";
  std::ofstream(file) << "text";
  expect_open_fails(file, ENOTDIR);
}

TEST(Spool, ReadOnlyDirectory) {
  const TemporaryDirectory directory;
  if (::geteuid() != 0) {
    ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
    expect_open_fails(directory.path(), EACCES);
    ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
    return;
  }
  // Permission bits do not stop root; a read-only filesystem does.
  bool reached = false;
  const int error = run_with_tmpfs(directory.path(), "size=64k", MS_RDONLY, [&] {
    expect_open_fails(directory.path(), EROFS);
    reached = true;
  });
  if (error == EPERM) GTEST_SKIP() << "this root may not mount";
  ASSERT_EQ(error, 0);
  EXPECT_TRUE(reached);
}

// `body` gets a filesystem of 256 KiB on `directory`.
TEST(Spool, FullDisk) {
  const TemporaryDirectory directory;
  on_a_small_disk(directory, [&] {
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    const Bytes block = pattern(65'536);
    std::uint64_t position = 0;
    std::optional<Error> error;
    while (!error && position < 1024 * 1024) {
      error = spool->write(position, block);
      if (!error) position += block.size();
    }
    EXPECT_EQ(position, 256U * 1024);
    expect_storage_error(error, ENOSPC, directory.path());
    EXPECT_THAT(error->message, HasSubstr("65536 bytes"));
    Bytes back(block.size());
    EXPECT_EQ(spool->read(position - block.size(), back), std::nullopt);
    EXPECT_EQ(back, block) << "what was written before is still good";
  });
}

TEST(Spool, ReservingMeetsTheFullDiskAtTheFirstChunk) {
  const TemporaryDirectory directory;
  on_a_small_disk(directory, [&] {
    {
      const auto spool = open_spool(directory.path());
      ASSERT_TRUE(spool);
      EXPECT_EQ(spool->reserve(256 * 1024, 0), std::nullopt);
    }
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    const std::optional<Error> error = spool->reserve(256 * 1024 + 1, 0);
    expect_storage_error(error, ENOSPC, directory.path());
    EXPECT_THAT(error->message, HasSubstr("262145 bytes"));

    // The same seen by an upload: the first of eleven chunks fails.
    ReceiverDriver driver({}, *spool);
    const Outcome outcome = driver.chunk(0, 11, pattern(32'768));
    EXPECT_TRUE(outcome.failed_with(ErrorCode::kStorageFailed));
    EXPECT_FALSE(outcome.stored);
    EXPECT_EQ(driver.statistics().bytes, 0U);
  });
}

TEST(Spool, ReservedSpaceIsThereEvenIfOthersFillTheDisk) {
  const TemporaryDirectory directory;
  on_a_small_disk(directory, [&] {
    const auto ours = open_spool(directory.path());
    const auto other = open_spool(directory.path());
    ASSERT_TRUE(ours && other);
    ASSERT_EQ(ours->reserve(128 * 1024, 0), std::nullopt);
    for (std::uint64_t at = 0; !other->write(at, pattern(4096)); at += 4096) {
      ASSERT_LE(at, 128U * 1024);
    }
    EXPECT_EQ(ours->write(0, pattern(128 * 1024)), std::nullopt);
  });
}

TEST(Spool, ReservingKeepsTheFileEmpty) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  ASSERT_EQ(spool->reserve(1024 * 1024, 0), std::nullopt);
  Bytes one(1);
  // What was only reserved cannot be read: it would be zeros that nobody sent.
  expect_storage_error(spool->read(0, one), EIO, directory.path());
}

TEST(Spool, ReservingMoreThanAFileCanHave) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  for (const std::uint64_t size : {~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    const std::optional<Error> error = spool->reserve(size, 0);
    expect_storage_error(error, EFBIG, directory.path());
    EXPECT_THAT(error->message, HasSubstr(std::to_string(size)));
  }
}

TEST(Spool, WithoutFallocateNothingIsPromised) {
  for (const int error : {EOPNOTSUPP, ENOSYS}) {
    const TemporaryDirectory directory;
    if (!run_with_failing_call({SYS_fallocate, error}, [&] {
          const auto spool = open_spool(directory.path());
          ASSERT_TRUE(spool);
          EXPECT_EQ(spool->reserve(1000, 0), std::nullopt);
          expect_round_trip(*spool);
        })) {
      GTEST_SKIP() << "no seccomp filters here";
    }
  }
}

TEST(Spool, FailingDisk) {
  for (const int error : {EIO, EDQUOT, ENOSPC}) {
    SCOPED_TRACE(error);
    const TemporaryDirectory directory;
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    ASSERT_EQ(spool->write(0, pattern(10)), std::nullopt);
    Bytes back(10);
    const bool filtered =
        run_with_failing_call(
            {SYS_pwrite64, error},
            [&] { expect_storage_error(spool->write(10, pattern(7)), error, directory.path()); }) &&
        run_with_failing_call(
            {SYS_pread64, error},
            [&] { expect_storage_error(spool->read(0, back), error, directory.path()); }) &&
        run_with_failing_call({SYS_fallocate, error}, [&] {
          expect_storage_error(spool->reserve(100, 0), error, directory.path());
        });
    if (!filtered) GTEST_SKIP() << "no seccomp filters here";
  }
}

TEST(Spool, CallsThatAreInterruptedAreMadeAgain) {
  for (const int number : {SYS_fallocate, SYS_pwrite64, SYS_pread64}) {
    SCOPED_TRACE(number);
    const TemporaryDirectory directory;
    const auto spool = open_spool(directory.path());
    ASSERT_TRUE(spool);
    const auto calls = run_with_interrupted_call(number, [&] {
      EXPECT_EQ(spool->reserve(1000, 0), std::nullopt);
      expect_round_trip(*spool);
    });
    if (!calls) GTEST_SKIP() << "no seccomp filters that ask here";
    EXPECT_GE(*calls, 2);
  }
}

TEST(Spool, FileSizeLimitOfTheProcess) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::optional<Error> error;
  // On a thread of its own, with which the pending SIGXFSZ goes away.
  std::thread([&] {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGXFSZ);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
    rlimit small = before;
    small.rlim_cur = 10'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_EQ(spool->write(0, pattern(10'000)), std::nullopt);
    // Begins below the limit and ends above: the kernel first writes a part.
    error = spool->write(9'990, pattern(20));
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  }).join();
  expect_storage_error(error, EFBIG, directory.path());
}

TEST(Spool, ReadBehindTheEndFails) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  ASSERT_EQ(spool->write(0, pattern(10)), std::nullopt);
  Bytes eleven(11);
  expect_storage_error(spool->read(0, eleven), EIO, directory.path());
  Bytes one(1);
  expect_storage_error(spool->read(10, one), EIO, directory.path());
}

TEST(Spool, OneThreadWritesWhileOthersRead) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  constexpr std::uint64_t kBlocks = 400;
  constexpr std::size_t kBlock = 4096;
  std::atomic<std::uint64_t> written{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      Bytes back(kBlock);
      for (std::uint64_t block = 0; block < kBlocks; ++block) {
        std::uint64_t seen = written.load();
        while (seen <= block) {
          written.wait(seen);
          seen = written.load();
        }
        if (spool->read(block * kBlock, back) ||
            back != pattern(kBlock, static_cast<std::uint32_t>(block))) {
          ++wrong;
        }
      }
    });
  }
  for (std::uint64_t block = 0; block < kBlocks; ++block) {
    if (spool->write(block * kBlock, pattern(kBlock, static_cast<std::uint32_t>(block)))) ++wrong;
    written.store(block + 1);
    written.notify_all();
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Spool, HoldsAWholeUploadInAnyOrder) {
  const TemporaryDirectory directory;
  const auto spool = open_spool(directory.path());
  ASSERT_TRUE(spool);
  ReceiverDriver driver({}, *spool);
  Bytes expected;
  for (std::uint32_t i = 0; i < 50; ++i) {
    const Bytes part = pattern(1000 + i, i);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  for (std::uint32_t i = 0; i < 50; ++i) {
    const std::uint32_t index = i * 7 % 50;
    EXPECT_TRUE(driver.chunk(index, 50, pattern(1000 + index, index)).stored);
    EXPECT_FALSE(driver.chunk(index, 50, pattern(1000 + index, index)).failure);
  }
  EXPECT_TRUE(driver.receiver().complete());
  EXPECT_EQ(driver.file(), expected);
}

}  // namespace
}  // namespace webrtcupload::testing
