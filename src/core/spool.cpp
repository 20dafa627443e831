// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/spool.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <limits>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace webrtcupload {
namespace {

Error storage_error(const std::string& what, int error_number) {
  return {ErrorCode::kStorageFailed, what + ": " + std::generic_category().message(error_number)};
}

// Of an unlinked file, or -1 with errno set.
int open_unlinked(const std::string& directory) {
  std::string path = directory + "/webrtcupload-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0 && ::unlink(path.c_str()) != 0) {
    const int saved = errno;
    ::close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

}  // namespace

Result<int> Spool::open_file(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  // EISDIR is what a kernel without O_TMPFILE says, EOPNOTSUPP a filesystem without it.
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    fd = open_unlinked(directory);
  }
  if (fd < 0) return storage_error("cannot create a spool file in \"" + directory + "\"", errno);
  return fd;
}

Result<std::unique_ptr<Spool>> Spool::open(const std::string& directory) {
  const auto fd = open_file(directory);
  if (!fd) return fd.error();
  return std::unique_ptr<Spool>(new Spool(fd.value(), directory));
}

Result<std::unique_ptr<Spool>> Spool::on_file(int fd, const std::string& directory) {
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return storage_error("cannot use the spool file in \"" + directory + "\"", errno);
  std::unique_ptr<Spool> spool(new Spool(own, directory));
  if (::ftruncate(own, 0) != 0) {
    return storage_error("cannot empty the spool file in \"" + directory + "\"", errno);
  }
  return spool;
}

Spool::Spool(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}

Spool::~Spool() { ::close(fd_); }

std::string Spool::default_directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory && *directory ? directory : "/var/tmp";
}

bool Spool::is_in_memory(const std::string& directory) {
  struct statfs filesystem {};
  if (::statfs(directory.c_str(), &filesystem) != 0) return false;
  const auto type = static_cast<std::uint32_t>(filesystem.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

std::optional<Error> Spool::no_room(std::uint64_t size, int error_number) const {
  return storage_error(
      "cannot reserve " + std::to_string(size) + " bytes in \"" + directory_ + "\"", error_number);
}

bool Spool::has_room_for(std::uint64_t size) const {
  if (size <= reserved_) return true;
  struct statvfs filesystem {};
  // No number of blocks: the filesystem does not count them.
  if (::fstatvfs(fd_, &filesystem) != 0 || filesystem.f_blocks == 0) return true;
  const std::uint64_t block = filesystem.f_frsize;
  return block == 0 || (size - reserved_ - 1) / block < filesystem.f_bavail;
}

std::optional<Error> Spool::reserve(std::uint64_t size, std::uint64_t expected) {
  constexpr std::uint64_t kMost = std::numeric_limits<off_t>::max();
  if (const std::uint64_t wanted = std::max(size, expected); wanted > kMost) {
    return no_room(wanted, EFBIG);
  }
  if (!has_room_for(expected)) return no_room(expected, ENOSPC);
  if (size <= reserved_) return std::nullopt;
  // Only what is new: some filesystems look at every page of what the file has.
  int result;
  do {
    result = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(reserved_),
                         static_cast<off_t>(size - reserved_));
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return no_room(size, errno);
  reserved_ = size;
  return std::nullopt;
}

std::optional<Error> Spool::write(std::uint64_t position, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (written < 0) {
      if (errno == EINTR) continue;
      return storage_error("cannot write " + std::to_string(bytes.size()) +
                               " bytes to the spool file in \"" + directory_ + "\"",
                           errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    position += static_cast<std::uint64_t>(written);
  }
  return std::nullopt;
}

std::optional<Error> Spool::read(std::uint64_t position, std::span<std::uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      // Nobody else can shorten a nameless file, so an early end is the storage's fault too.
      return storage_error("cannot read " + std::to_string(out.size()) +
                               " bytes from the spool file in \"" + directory_ + "\"",
                           got < 0 ? errno : EIO);
    }
    out = out.subspan(static_cast<std::size_t>(got));
    position += static_cast<std::uint64_t>(got);
  }
  return std::nullopt;
}

}  // namespace webrtcupload
