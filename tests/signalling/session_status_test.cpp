// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is said of a session that somebody asks for, how long ended ones are remembered, and what a
// client makes of the replies.

#include "signalling/session_status.h"

#include <gmock/gmock.h>

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "signalling/http_server.h"
#include "tool/process.h"
#include "tool/send/session_watch.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

SessionStatus crashed() {
  return {.ended = true,
          .code = "crashed",
          .message = "ended by signal 9",
          .frames = 3,
          .bytes = 4,
          .chunks = 5,
          .sha256 = "00ff"};
}

TEST(SessionStatus, WhatIsSaid) {
  EXPECT_EQ(session_status_json({}),
            R"({"state":"running","status":null,"code":null,"message":null,"frames":null,)"
            R"("bytes":null,"chunks":null,"sha256":null})");
  EXPECT_EQ(session_status_json(crashed()),
            R"({"state":"ended","status":"failed","code":"crashed","message":"ended by signal 9",)"
            R"("frames":3,"bytes":4,"chunks":5,"sha256":"00ff"})");
  EXPECT_EQ(session_status_json({.ended = true, .done = true, .frames = 100}),
            R"({"state":"ended","status":"done","code":null,"message":null,"frames":100,)"
            R"("bytes":null,"chunks":null,"sha256":null})");
}

TEST(SessionStatus, WhatIsRead) {
  const auto read = parse_session_status(session_status_json(crashed()));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->ended);
  EXPECT_FALSE(read->done);
  EXPECT_EQ(read->code, "crashed");
  EXPECT_EQ(read->message, "ended by signal 9");
  EXPECT_EQ(read->frames, 3U);
  const auto running = parse_session_status(session_status_json({}));
  ASSERT_TRUE(running);
  EXPECT_FALSE(running->ended);
  const auto done = parse_session_status(session_status_json({.ended = true, .done = true}));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->ended && done->done);
  for (const char* other :
       {"", "x", "[]", "{}", R"({"state": "ended"})", R"({"state": 1, "status": "failed"})",
        R"({"state": "ended", "status": "odd"})", R"({"state": "odd", "status": "done"})"}) {
    EXPECT_FALSE(parse_session_status(other)) << other;
  }
}

TEST(EndedSessions, AreThereForTheirOwnersOnly) {
  EndedSessions sessions;
  const EndedSessions::Moment now{};
  sessions.add("a", "owner", crashed(), now);
  ASSERT_TRUE(sessions.find("a", "owner", now));
  EXPECT_EQ(sessions.find("a", "owner", now)->code, "crashed");
  EXPECT_FALSE(sessions.find("a", "another", now));
  EXPECT_FALSE(sessions.find("b", "owner", now));
}

TEST(EndedSessions, AreBoundedInNumberTimeAndSize) {
  EndedSessions sessions({.count = 3, .time = minutes(1), .message_bytes = 10});
  const EndedSessions::Moment start{};
  SessionStatus status = crashed();
  status.message = "123456789\u00e4";  // The tenth byte is half of a character.
  for (int i = 0; i < 5; ++i) sessions.add(std::to_string(i), "", status, start + seconds(i));
  EXPECT_EQ(sessions.size(), 3U);
  EXPECT_FALSE(sessions.find("1", "", start + seconds(4)));
  ASSERT_TRUE(sessions.find("2", "", start + seconds(4)));
  EXPECT_EQ(sessions.find("2", "", start + seconds(4))->message, "123456789");
  EXPECT_TRUE(sessions.find("4", "", start + seconds(63)));
  EXPECT_FALSE(sessions.find("4", "", start + seconds(64)));
  sessions.add("5", "", status, start + seconds(200));
  EXPECT_EQ(sessions.size(), 1U) << "the others' time is over";
}

// A server that says what it is told to, and a client with nothing else to do but to listen.
class SessionWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = std::make_unique<HttpServer>(
        HttpServerOptions{}, [this](const HttpRequest& request, const HttpResponder& responder) {
          ++asked_;
          token_ = request.bearer_token;
          responder.reply_json(status_, body_);
        });
    ASSERT_EQ(server_->start(), "");
  }

  SessionWatch make_watch() {
    return {context_,
            http_,
            {.sign_of_life = [this] { return sign_; },
             .ended = [this](const SessionStatus& status) { ended_ = status; },
             .server_gone = [this](const std::string& why) { gone_ = why; }},
            {.look = milliseconds(10), .silence = milliseconds(100), .reply = seconds(60)}};
  }
  [[nodiscard]] std::string address() const { return server_->url() + "/sessions/1"; }

  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + test::kDeadline;
    Timer tick(context_);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      tick.start(milliseconds(5), [] {});
      g_main_context_iteration(context_, TRUE);
    }
    return condition();
  }

  GMainContext* const context_ = g_main_context_default();
  std::unique_ptr<HttpServer> server_;
  HttpClient http_;
  unsigned status_ = 200;
  std::string body_ = session_status_json({});
  int asked_ = 0;
  std::optional<std::string> token_;
  std::uint64_t sign_ = 0;
  std::optional<SessionStatus> ended_;
  std::optional<std::string> gone_;
};

TEST_F(SessionWatchTest, ASilentSessionIsAskedForUntilItHasEnded) {
  SessionWatch watch = make_watch();
  watch.start(address(), "key");
  ASSERT_TRUE(run_until([this] { return asked_ == 2; }));
  EXPECT_EQ(token_, "key");
  EXPECT_FALSE(ended_ || gone_);
  body_ = session_status_json(crashed());
  ASSERT_TRUE(run_until([this] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->code, "crashed");
  const int asked = asked_;
  EXPECT_FALSE(gone_);
  watch.lost();
  EXPECT_EQ(asked_, asked) << "it was told";
}

TEST_F(SessionWatchTest, OneThatSaysSomethingIsLeftAlone) {
  SessionWatch watch = make_watch();
  watch.start(address(), {});
  Timer life(context_);
  std::function<void()> live = [&] {
    ++sign_;
    life.start(milliseconds(1), live);
  };
  live();
  ASSERT_TRUE(run_until([this] { return sign_ > 500; }));
  EXPECT_LE(asked_, 1) << "but for a machine that stood still";
}

TEST_F(SessionWatchTest, AServerThatRefusesTwiceIsGone) {
  SessionWatch watch = make_watch();
  const std::string where = address();
  server_.reset();
  watch.start(where, {});
  ASSERT_TRUE(run_until([this] { return gone_.has_value(); }));
  EXPECT_THAT(*gone_, StartsWith("the server is gone: "));
}

TEST_F(SessionWatchTest, AProxyWithoutItsServerMeansTheSame) {
  status_ = 502;
  SessionWatch watch = make_watch();
  watch.start(address(), {});
  ASSERT_TRUE(run_until([this] { return gone_.has_value(); }));
  EXPECT_EQ(asked_, 2);
  EXPECT_THAT(*gone_, HasSubstr("502"));
}

TEST_F(SessionWatchTest, AnotherServerCountsWhenTheConnectionIsLost) {
  status_ = 404;
  SessionWatch watch = make_watch();
  watch.start(address(), {});
  ASSERT_TRUE(run_until([this] { return asked_ >= 3; }));
  EXPECT_FALSE(gone_);
  watch.lost();
  ASSERT_TRUE(run_until([this] { return gone_.has_value(); }));
}

TEST_F(SessionWatchTest, AServerThatDoesNotSpeakOfItsSessionsIsNotAskedAgain) {
  for (const unsigned status : {200U, 401U, 405U}) {
    SCOPED_TRACE(status);
    status_ = status;
    body_ = "<html>";
    asked_ = 0;
    SessionWatch watch = make_watch();
    watch.start(address(), {});
    ASSERT_TRUE(run_until([this] { return asked_ == 1; }));
    int turns = 0;
    ASSERT_TRUE(run_until([&] { return ++turns > 100; }));
    EXPECT_EQ(asked_, 1);
    watch.lost();
    EXPECT_FALSE(ended_ || gone_);
  }
}

TEST_F(SessionWatchTest, WithoutAnAddressNothingIsAsked) {
  SessionWatch watch = make_watch();
  watch.start("", {});
  watch.lost();
  EXPECT_FALSE(gone_);
}

}  // namespace
}  // namespace webrtcupload
