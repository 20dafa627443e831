// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an operator's webhook has to say about the sessions of `webrtc-upload serve`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

#include "hook_server.h"
#include "serve_rig.h"
#include "tool/serve/auth_hook.h"

namespace webrtcupload {
namespace {

using test::bearer;
using test::Event;
using test::eventually;
using test::HookQuestion;
using test::HookReply;
using test::HookServer;
using test::http_exchange;
using test::kSwallow;
using test::location_of;
using test::post;
using test::RawHttp;
using test::request_body;
using test::Server;
using test::status_of;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ServerHook : public test::ServeTest {};

INSTANTIATE_TEST_SUITE_P(All, ServerHook, ::testing::Values("process", "none"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(ServerHook, TheHookDecidesBeforeTheAnswer) {
  std::atomic<unsigned> status = 200;
  HookServer hook([&](const HookQuestion&) {
    const unsigned now = status;
    return HookReply{now, now == 200 ? "" : R"({"message":"Told so."})"};
  });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60", "--max-sessions", "1"}),
      kSwallow);
  for (const auto& [said, told] : std::initializer_list<std::pair<unsigned, const char*>>{
           {401, "HTTP/1.1 401 Unauthorized\r\n"},
           {402, "HTTP/1.1 402 Payment Required\r\n"},
           {403, "HTTP/1.1 403 Forbidden\r\n"},
           {429, "HTTP/1.1 429 Too Many Requests\r\n"}}) {
    status = said;
    const std::string reply = http_exchange(server.port(), post(request_body(), bearer("key")));
    EXPECT_THAT(reply, StartsWith(told));
    EXPECT_THAT(reply, HasSubstr("\"message\":\"Told so.\""));
  }
  for (const unsigned said : {302u, 404u, 500u}) {
    status = said;
    const std::string reply = http_exchange(server.port(), post(request_body()));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_THAT(reply, Not(HasSubstr("Told so")));
  }
  EXPECT_TRUE(test::children_of(server.process().pid()).empty());
  status = 200;
  const std::string reply = http_exchange(server.port(), post(request_body(), bearer("key")));
  EXPECT_EQ(status_of(reply), 200);
  const auto questions = hook.questions();
  ASSERT_EQ(questions.size(), 8u);
  EXPECT_THAT(questions.back().body, StartsWith(R"({"point":"session","session":")"));
  EXPECT_THAT(questions.back().body,
              HasSubstr("\"session\":\"" + location_of(reply).substr(10) + "\""));
  EXPECT_THAT(questions.back().body, Not(HasSubstr("\"key\"")));
  EXPECT_EQ(questions.back().authorization, std::nullopt);
  end(server, reply, "key");
}

TEST_P(ServerHook, AClientThatLeavesWhileTheHookThinksFreesItsPlace) {
  std::atomic<bool> silent = true;
  HookServer hook([&](const HookQuestion&) { return HookReply{.silent = silent}; });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "600", "--max-sessions", "1"}),
      kSwallow);
  {
    const RawHttp leaves(server.port());
    leaves.send(post(request_body()));
    ASSERT_TRUE(eventually([&] { return hook.questions().size() == 1; }));
    EXPECT_EQ(status_of(http_exchange(server.port(), post(request_body()))), 429);
    EXPECT_EQ(hook.given_up(), 0);
  }
  EXPECT_TRUE(eventually([&] { return hook.given_up() == 1; })) << "nobody is to hear the reply";
  silent = false;
  std::string reply;
  EXPECT_TRUE(eventually([&] {
    reply = http_exchange(server.port(), post(request_body()));
    return status_of(reply) == 200;
  })) << reply;
  end(server, reply);
}

TEST_P(ServerHook, ASlowHookLetsOnlySoManyWait) {
  std::atomic<bool> silent = true;
  HookServer hook([&](const HookQuestion&) { return HookReply{.silent = silent}; });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "600", "--max-sessions", "100"}),
      kSwallow);
  constexpr std::size_t kTooMany = 6;
  std::vector<std::unique_ptr<RawHttp>> clients;
  for (std::size_t i = 0; i < AuthHookOptions{}.max_questions + kTooMany; ++i) {
    clients.push_back(std::make_unique<RawHttp>(server.port()));
    clients.back()->send(post(request_body()));
  }
  // Which of them come too late is chance.
  std::vector<const RawHttp*> answered;
  ASSERT_TRUE(eventually([&] {
    answered.clear();
    for (const auto& client : clients) {
      pollfd readable{client->fd, POLLIN, 0};
      if (poll(&readable, 1, 0) == 1) answered.push_back(client.get());
    }
    return answered.size() >= kTooMany;
  }));
  EXPECT_EQ(answered.size(), kTooMany);
  for (const RawHttp* client : answered) {
    const std::string reply = client->read_all();
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nRetry-After: 5\r\n"));
    EXPECT_THAT(reply, HasSubstr("\"error_type\":\"AuthorizationBusy\""));
  }
  // When they leave, the next one is heard at once.
  silent = false;
  clients.clear();
  std::string reply;
  EXPECT_TRUE(eventually([&] {
    reply = http_exchange(server.port(), post(request_body()));
    return status_of(reply) == 200;
  })) << reply;
  end(server, reply);
}

TEST_P(ServerHook, AServerThatStopsDoesNotWaitForTheHook) {
  HookServer hook([](const HookQuestion&) { return HookReply{.silent = true}; });
  Server server(with({"--auth-hook", hook.url(), "--auth-hook-timeout", "600"}), kSwallow);
  const RawHttp waits(server.port());
  waits.send(post(request_body()));
  ASSERT_TRUE(eventually([&] { return hook.questions().size() == 1; }));
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait_for_exit(), 0);
}

TEST_P(ServerHook, AHookThatDoesNotReplyIsA504) {
  HookServer hook([](const HookQuestion&) { return HookReply{.silent = true}; });
  Server server(with({"--auth-hook", hook.url(), "--auth-hook-timeout", "0.1"}), kSwallow);
  EXPECT_THAT(http_exchange(server.port(), post(request_body())),
              StartsWith("HTTP/1.1 504 Gateway Timeout\r\n"));
}

TEST_P(ServerHook, TheServersKeysComeBeforeTheHook) {
  HookServer hook([](const HookQuestion&) { return HookReply{403, ""}; });
  Server server(with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60",
                      "--auth-hook-forward-key", "--api-key", "good"}),
                kSwallow);
  EXPECT_EQ(status_of(http_exchange(server.port(), post(request_body(), bearer("bad")))), 401);
  EXPECT_EQ(status_of(http_exchange(server.port(), post(request_body()))), 401);
  EXPECT_TRUE(hook.questions().empty());
  EXPECT_EQ(status_of(http_exchange(server.port(), post(request_body(), bearer("good")))), 403);
  ASSERT_EQ(hook.questions().size(), 1u);
  EXPECT_EQ(hook.questions().front().authorization, "Bearer good");
}

// A real upload, which has to ask before its first byte.
TEST_P(ServerHook, TheHookDecidesBeforeTheFirstByte) {
  std::atomic<unsigned> status = 200;
  HookServer hook([&](const HookQuestion& question) {
    if (question.body.find(R"("point":"upload")") == std::string::npos) return HookReply{};
    const unsigned now = status;
    return HookReply{now, now == 200 ? "" : R"({"message":"Not this one."})"};
  });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60", "--quota-interval", "600"}),
      kSwallow);
  const auto allowed = start_send(server);
  EXPECT_EQ(allowed->wait_for_exit(), 0) << allowed->errors();
  EXPECT_EQ(server.wait_for_end(1).status, "done");
  const auto questions = hook.questions();
  // The session's and the upload's; that one is about the quota as well.
  EXPECT_EQ(questions.size(), 2u);
  const auto asked = std::find_if(questions.begin(), questions.end(), [](const auto& question) {
    return question.body.find(R"("point":"upload")") != std::string::npos;
  });
  ASSERT_NE(asked, questions.end());
  EXPECT_THAT(asked->body, HasSubstr(R"("bytes_received":0)"));
  EXPECT_THAT(asked->body, Not(HasSubstr(R"("bytes_announced":0)")));

  int session = 1;
  for (const unsigned said : {403u, 402u}) {
    status = said;
    const auto denied = start_send(server);
    EXPECT_THAT(complaint_of(*denied), HasSubstr("Not this one."));
    const Event ended = server.wait_for_end(++session);
    EXPECT_EQ(ended.status, "failed");
    EXPECT_EQ(ended.code, said == 402 ? "quota-exceeded" : "unauthorized");
    EXPECT_EQ(ended.message, "Not this one.");
    EXPECT_EQ(ended.bytes, 0);
  }
}

TEST_P(ServerHook, ASessionThatEndsAsksNoMore) {
  HookServer hook([&](const HookQuestion& question) {
    return HookReply{.silent = question.body.find(R"("point":"upload")") != std::string::npos};
  });
  Server server(with({"--auth-hook", hook.url(), "--auth-hook-timeout", "600"}), kSwallow);
  const auto sender = start_send(server);
  ASSERT_TRUE(eventually([&] { return hook.questions().size() == 2; }));
  EXPECT_EQ(hook.given_up(), 0);
  sender->signal(SIGINT);
  EXPECT_EQ(server.wait_for_end(1).status, "failed");
  EXPECT_TRUE(eventually([&] { return hook.given_up() == 1; }));
}

// A client's time to begin ends with its first chunk, however long the hook takes to allow that.
TEST_P(ServerHook, AClientThatWaitsForTheHookKeepsItsPlace) {
  HookServer hook([](const HookQuestion& question) {
    const bool is_slow = question.body.find(R"("point":"upload")") != std::string::npos;
    if (is_slow) std::this_thread::sleep_for(std::chrono::seconds(4));
    return HookReply{};
  });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60", "--connect-timeout", "3"}),
      kSwallow);
  const auto sender = start_send(server);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done") << end.code << ": " << end.message;
}

// The pipeline takes its time, two seconds for each 16 KiB.
TEST_P(ServerHook, TheHookDecidesWhileItRuns) {
  std::atomic<int> running = 0;
  HookServer hook([&](const HookQuestion& question) {
    if (question.body.find(R"("point":"running")") == std::string::npos) return HookReply{};
    return ++running < 3 ? HookReply{} : HookReply{429, R"({"message":"Enough."})"};
  });
  Server server(
      with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60", "--quota-interval", "0.05"}),
      "identity sleep-time=2000000 ! fakesink");
  const auto sender = start_send(server);
  EXPECT_THAT(complaint_of(*sender), HasSubstr("Enough."));
  EXPECT_EQ(server.wait_for_end(1).code, "quota-exceeded");
  EXPECT_EQ(running, 3);
}

TEST_P(ServerHook, TheHooksLimitsHold) {
  HookServer hook([](const HookQuestion&) { return HookReply{200, R"({"max_size":1000})"}; });
  Server server(with({"--auth-hook", hook.url(), "--auth-hook-timeout", "60"}), kSwallow);
  const auto sender = start_send(server);
  EXPECT_THAT(complaint_of(*sender), HasSubstr("1000"));
  EXPECT_EQ(server.wait_for_end(1).code, "too-large");
}

}  // namespace
}  // namespace webrtcupload
