// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What becomes of a session whose process does not do its part. The process is this program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "glib/main_context.h"
#include "support/wait.h"
#include "tool/common/event_output.h"
#include "tool/serve/session_runner.h"

namespace webrtcupload {
namespace {

// Answers the first offer, and nothing that comes then. But of the connection "count" it says how
// often it was told to disconnect one.
int be_the_process() {
  std::string line;
  std::getline(std::cin, line);
  std::cout << answer_line("v=0\r\n") << std::endl;
  unsigned told = 0;
  while (std::getline(std::cin, line)) {
    if (line == disconnect_line("one")) ++told;
    if (line != connect_line("count", "v=0\r\n")) continue;
    std::cout << connection_line("count", HttpError{400 + told, "InvalidOffer", "x", {}})
              << std::endl;
  }
  return 0;
}

class SilentProcess : public ::testing::Test {
 protected:
  void start(std::chrono::milliseconds answer_timeout) {
    SessionObserver observer;
    observer.answered = [this](const std::string&) { answered_ = true; };
    observer.refused = [](const HttpError& error) { FAIL() << error.message; };
    observer.ended = [this](const SessionEnd&) { ended_ = true; };
    observer.connection = [this](const std::string& connection, const ConnectionNews& news) {
      const auto* error = std::get_if<HttpError>(&news);
      news_.emplace_back(connection, error ? error->status : 0);
    };
    runner_ = make_child_session(g_main_context_default(), output_, SessionConfig{.id = "s"},
                                 std::move(observer), answer_timeout);
    runner_->start();
    run_until([this] { return answered_; });
  }
  void run_until(const std::function<bool()>& condition) {
    Timer deadline(g_main_context_default());
    bool late = false;
    deadline.start(test::kDeadline, [&] { late = true; });
    while (!condition() && !late) g_main_context_iteration(nullptr, TRUE);
    EXPECT_FALSE(late);
  }
  void TearDown() override {
    runner_->kill();
    run_until([this] { return ended_; });
  }

  EventOutput output_{open("/dev/null", O_WRONLY | O_CLOEXEC), {.high = 1024, .low = 512}};
  std::unique_ptr<SessionRunner> runner_;
  bool answered_ = false;
  bool ended_ = false;
  std::vector<std::pair<std::string, unsigned>> news_;
};

TEST_F(SilentProcess, IsNotWaitedForForEver) {
  start(std::chrono::milliseconds(50));
  ASSERT_TRUE(runner_->connect("one", "v=0\r\n"));
  EXPECT_TRUE(news_.empty());
  run_until([this] { return !news_.empty(); });
  EXPECT_EQ(news_, (decltype(news_){{"one", 500U}}));
  // It is not asked again.
  ASSERT_TRUE(runner_->connect("two", "v=0\r\n"));
  EXPECT_EQ(news_, (decltype(news_){{"one", 500U}, {"two", 500U}}));
}

// However often its client asks for that.
TEST_F(SilentProcess, IsToldToDisconnectOnce) {
  start(std::chrono::milliseconds(60000));
  ASSERT_TRUE(runner_->connect("one", "v=0\r\n"));
  for (int i = 0; i < 5; ++i) runner_->disconnect("one");
  runner_->disconnect("a stranger");
  ASSERT_TRUE(runner_->connect("count", "v=0\r\n"));
  run_until([this] { return !news_.empty(); });
  EXPECT_EQ(news_, (decltype(news_){{"count", 401U}}));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "session") return webrtcupload::be_the_process();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
