// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What tests of the spool share: directories for its files, a small disk, and what it says.

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "core/spool.h"
#include "hostile_system.h"

namespace webrtcupload::testing {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "spool-test-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

 private:
  std::string path_;
};

// This process' descriptors of files under `directory`.
inline std::vector<int> descriptors_in(const std::string& directory) {
  std::vector<int> found;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (!gone && target.starts_with(directory + "/")) {
      found.push_back(std::stoi(entry.path().filename()));
    }
  }
  return found;
}

inline std::size_t open_descriptors() {
  const fs::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

inline std::unique_ptr<Spool> open_spool(const std::string& directory) {
  auto opened = Spool::open(directory);
  if (!opened) {
    ADD_FAILURE() << opened.error().message;
    return nullptr;
  }
  return std::move(opened.value());
}

inline void expect_storage_error(const std::optional<Error>& error, int error_number,
                                 const std::string& directory) {
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kStorageFailed);
  EXPECT_THAT(error->message,
              ::testing::AllOf(::testing::HasSubstr(std::generic_category().message(error_number)),
                               ::testing::HasSubstr("\"" + directory + "\"")));
}

inline void on_a_small_disk(const TemporaryDirectory& directory,
                            const std::function<void()>& body) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can mount a small filesystem";
  bool reached = false;
  const int error = run_with_tmpfs(directory.path(), "size=256k", 0, [&] {
    body();
    reached = true;
  });
  if (error == EPERM) GTEST_SKIP() << "this root may not mount";
  ASSERT_EQ(error, 0);
  EXPECT_TRUE(reached);
}

}  // namespace webrtcupload::testing
