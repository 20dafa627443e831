// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Storage in a file without a name: no crash, kill or power cut can leave it behind.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/storage.h"

namespace webrtcupload {

class Spool final : public Storage {
 public:
  // A nameless file in `directory` (O_TMPFILE; where the filesystem lacks that, one that is
  // unlinked at once), readable by this user only.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(const std::string& directory);

  // The descriptor of such a file, for a process that will not be allowed to open one.
  [[nodiscard]] static Result<int> open_file(const std::string& directory);
  // Keeps what it stores in that file, which is emptied. `fd` stays the caller's. `directory` is
  // where the file is, for messages.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> on_file(int fd, const std::string& directory);

  // Where files go that nobody has said a directory for: TMPDIR's, otherwise /var/tmp, which is for
  // large files that need not be in memory.
  [[nodiscard]] static std::string default_directory();
  // Whether what is kept there takes memory: on a tmpfs or a ramfs.
  [[nodiscard]] static bool is_in_memory(const std::string& directory);

  ~Spool() override;
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Takes the space with fallocate() where the filesystem has it; elsewhere it promises nothing.
  // What is free now is what statvfs() says to those who are not root.
  [[nodiscard]] std::optional<Error> reserve(std::uint64_t size, std::uint64_t expected) override;

  // Writing past RLIMIT_FSIZE raises SIGXFSZ on the calling thread before it fails with EFBIG; a
  // thread that is to survive it blocks that signal.
  [[nodiscard]] std::optional<Error> write(std::uint64_t position, ByteView bytes) override;
  [[nodiscard]] std::optional<Error> read(std::uint64_t position,
                                          std::span<std::uint8_t> out) const override;

 private:
  Spool(int fd, std::string directory);
  [[nodiscard]] std::optional<Error> no_room(std::uint64_t size, int error_number) const;
  // Whether `size` bytes are free beside those that are the file's already.
  [[nodiscard]] bool has_room_for(std::uint64_t size) const;

  const int fd_;
  const std::string directory_;
  // Bytes from the file's begin that are the file's already. Of the thread that writes.
  std::uint64_t reserved_ = 0;
};

}  // namespace webrtcupload
