// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/odd_directory.h"

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <sys/syscall.h>
#include <system_error>

#include "unit/core/hostile_system.h"

namespace webrtcupload::test {

TemporaryDirectory::TemporaryDirectory()
    : path_(std::filesystem::temp_directory_path() / "webrtcupload-test-XXXXXX") {
  if (!::mkdtemp(path_.data())) std::abort();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::size_t TemporaryDirectory::entries() const {
  const std::filesystem::directory_iterator begin(path_);
  return static_cast<std::size_t>(std::distance(begin, {}));
}

int run_with_tmpfs(const std::string& directory, const std::string& options, unsigned long flags,
                   const std::function<void()>& body) {
  return webrtcupload::testing::run_with_tmpfs(directory, options, flags, body);
}

bool run_with_failing_writes(std::uint32_t position_bits, int error,
                             const std::function<void()>& body) {
  constexpr unsigned kPosition = 3;
  return webrtcupload::testing::run_with_failing_call(
      {SYS_pwrite64, error, kPosition, position_bits}, body);
}

}  // namespace webrtcupload::test
