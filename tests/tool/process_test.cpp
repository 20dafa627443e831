// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What tests see of programs that end by themselves: at once, and not when a deadline has passed.

#include "process.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "server.h"
#include "support/lost_cause.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;

// How long `body` takes has nothing to do with the deadline that it would wait for.
template <typename Body>
void expect_no_waiting(Body body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  EXPECT_LT(std::chrono::steady_clock::now() - start, kDeadline / 2);
}

TEST(Process, WaitingForALineEndsWithTheOutput) {
  Process process({"/bin/sh", "-c", "echo one; echo two; exit 3"});
  EXPECT_EQ(process.wait_for_line([](const std::string& line) { return line == "two"; }), "two");
  expect_no_waiting([&] {
    EXPECT_FALSE(process.wait_for_line([](const std::string& line) { return line == "three"; }));
  });
  EXPECT_EQ(process.wait_for_exit(), 3);
}

TEST(Process, AnEndThatTheTestAskedForIsNoSurprise) {
  Process asked({"/bin/sh", "-c", "echo ready; exec sleep 600"});
  EXPECT_TRUE(asked.wait_for_line([](const std::string& line) { return line == "ready"; }));
  asked.signal(SIGTERM);
  EXPECT_EQ(asked.wait_for_exit(), -SIGTERM);
  EXPECT_EQ(asked.ended_by_itself(), std::nullopt);

  Process by_itself({"/bin/sh", "-c", "exit 4"});
  EXPECT_TRUE(eventually([&] { return by_itself.ended_by_itself().has_value(); }));
  EXPECT_EQ(by_itself.ended_by_itself(), 4);
}

void run_and_say(const std::string& line) {
  Process process({"/bin/sh", "-c", "echo '" + line + "' >&2"});
  process.wait_for_exit();
}

TEST(Process, ASanitizersReportIsAFailure) {
  run_and_say("Address, leaks and a runtime error");
  for (const char* report : {
           "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010",
           "==7==ERROR: LeakSanitizer: detected memory leaks",
           "a.cpp:1:2: runtime error: signed integer overflow",
           "WARNING: ThreadSanitizer: data race (pid=7)",
       }) {
    EXPECT_NONFATAL_FAILURE(run_and_say(report), report);
  }
}

// A program in the server's place that ends with status 3 as soon as its lines are read, or right
// at the start.
class DyingServer : public testing::Test {
 protected:
  DyingServer() {
    char name[] = "/tmp/webrtc-upload-dying-XXXXXX";
    directory_ = mkdtemp(name);
    program_ = directory_ + "/server";
  }
  ~DyingServer() override {
    unsetenv("WEBRTC_UPLOAD");
    fs::remove_all(directory_);
  }
  void write_program(const std::string& lines) {
    std::ofstream(program_) << "#!/bin/sh\n" << lines << "echo oops >&2\nexit 3\n";
    fs::permissions(program_, fs::perms::owner_all);
    setenv("WEBRTC_UPLOAD", program_.c_str(), 1);
  }

 private:
  std::string directory_;
  std::string program_;
};

TEST_F(DyingServer, ThatNeverListensIsNoticedAtOnce) {
  write_program("");
  expect_no_waiting([] {
    testing::TestPartResultArray failures;
    {
      const testing::ScopedFakeTestPartResultReporter reporter(
          testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
      Server server;
    }
    ASSERT_GE(failures.size(), 1);
    EXPECT_PRED_FORMAT2(testing::IsSubstring, "does not listen",
                        failures.GetTestPartResult(0).message());
  });
}

TEST_F(DyingServer, IsNoticedByWhateverWaits) {
  write_program("echo '{\"event\":\"listening\",\"url\":\"http://127.0.0.1:9\"}'\n");
  expect_no_waiting([] {
    testing::TestPartResultArray failures;
    {
      const testing::ScopedFakeTestPartResultReporter reporter(
          testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
      Server server;
      server.wait_for_end(1);
      eventually([] { return false; });
      std::condition_variable never;
      std::mutex mutex;
      std::unique_lock lock(mutex);
      wait_unless_lost(never, lock, kDeadline, [] { return false; });
    }
    ASSERT_EQ(failures.size(), 2);
    EXPECT_PRED_FORMAT2(testing::IsSubstring, "no end of session 1",
                        failures.GetTestPartResult(0).message());
    EXPECT_PRED_FORMAT2(testing::IsSubstring, "ended by itself, with status 3: oops",
                        failures.GetTestPartResult(1).message());
  });
  // Nothing is lost to those who come later.
  EXPECT_FALSE(cause_is_lost());
}

}  // namespace
}  // namespace webrtcupload::test
