// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Further connections of a session of `webrtc-upload serve`, for uploads in wire format v2: they
// join the upload, or go on with it when the one before is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/wire_v2.h"
#include "hook_server.h"
#include "serve_rig.h"
#include "upload/v2_client.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

using test::bearer;
using test::Bytes;
using test::del;
using test::Event;
using test::eventually;
using test::header_of;
using test::http_exchange;
using test::post;
using test::request_body;
using test::Server;
using test::ServeTest;
using test::status_of;
using test::V2Client;
using test::WorkerClient;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::size_t kSize = 3'000'000;

std::string further(const std::string& location) { return location + "/connections"; }

// One upload, over connections to one session.
class Connections : public ServeTest {
 protected:
  void serve(test::Arguments more = {}, const std::string& pipeline = test::kSwallow) {
    more.insert(more.end(), {"--isolation", GetParam()});
    server_.emplace(more, pipeline);
  }
  int port() const { return server_->port(); }

  // The first connection, over which the client has begun.
  void begin(std::uint64_t first = UINT64_MAX, const std::string& headers = "",
             const WorkerRequest& request = {}) {
    client_.emplace(file_, V2Client::Options{.first = first});
    ASSERT_EQ(first_.connect(port(), request, headers), 200) << first_.reply();
    ASSERT_TRUE(first_.channel().observer->wait_open());
    over_first_ = client_->add(first_.channel());
    ASSERT_TRUE(client_->run([&] { return client_->sender().id().has_value(); }));
  }
  ChannelId join(WorkerClient& connection) {
    EXPECT_EQ(connection.join(port(), first_.location()), 201) << connection.reply();
    EXPECT_THAT(connection.location(), StartsWith(further(first_.location()) + "/"));
    EXPECT_TRUE(connection.channel().observer->wait_open());
    return client_->add(connection.channel());
  }
  // Whatever is asked of a session that is over.
  void expect_gone() {
    const std::string reply =
        http_exchange(port(), post(request_body(), "", further(first_.location())));
    EXPECT_EQ(status_of(reply), 404) << reply;
    EXPECT_TRUE(eventually([&] { return test::children_of(server_->process().pid()).empty(); }));
  }
  // The results are for `reader`.
  void expect_complete(WorkerClient& reader) {
    ASSERT_TRUE(client_->run_to_end());
    const std::string sha256 = R"("sha256":")" + test::sha256_of(file_) + "\"";
    EXPECT_EQ(client_->done_sha256(), test::sha256_of(file_));
    EXPECT_TRUE(reader.wait_end());
    ASSERT_FALSE(reader.results().empty());
    EXPECT_THAT(reader.results().back().text, HasSubstr(sha256));
    const Event end = server_->wait_for_end(1);
    EXPECT_EQ(end.status, "done") << end.text;
    EXPECT_THAT(end.text, HasSubstr(R"("name":"film.mp4","content_type":"video/mp4",)" + sha256));
    EXPECT_THAT(http_exchange(port(), "GET " + first_.location() + " HTTP/1.1\r\nHost: x\r\n\r\n"),
                HasSubstr(sha256));
    EXPECT_EQ(end.bytes, static_cast<std::int64_t>(kSize));
  }
  // Of all its bytes.
  static std::uint64_t taken_over(const WorkerClient& connection) {
    const auto ack = test::last_of<control::Ack>(*connection.channel().observer);
    return ack ? ack->received : 0;
  }

  const Bytes file_ = test::random_bytes(kSize);
  std::optional<Server> server_;
  WorkerClient first_{kV2Protocol};
  std::optional<V2Client> client_;
  ChannelId over_first_ = 0;
};
INSTANTIATE_TEST_SUITE_P(All, Connections, ::testing::Values("process", "none"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(Connections, ASecondOneJoinsAndBothCarryTheUpload) {
  serve();
  begin(kSize / 2);
  WorkerClient second(kV2Protocol);
  join(second);
  client_->send_all();
  expect_complete(second);
  EXPECT_GT(taken_over(first_), 0u);
  EXPECT_GT(taken_over(second), 0u);
}

TEST_P(Connections, OneIsDeletedAndTheUploadGoesOnOverTheOther) {
  serve();
  begin(kSize / 2);
  WorkerClient second(kV2Protocol);
  // Or they would go over this one, and be lost with it.
  second.want_no_results();
  const ChannelId over_second = join(second);
  EXPECT_EQ(status_of(http_exchange(port(), del(second.location()))), 200);
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(port(), del(second.location()))) == 404; }));
  client_->lose(over_second);
  client_->send_all();
  expect_complete(first_);
}

TEST_P(Connections, AreForWhoHasTheSessionsKey) {
  serve({"--api-key", "one", "--api-key", "two"});
  begin(kSize / 2, bearer("one"));
  const std::string path = further(first_.location());
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), "", path))), 401);
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), bearer("three"), path))), 401);
  const std::string foreign = http_exchange(port(), post(request_body(), bearer("two"), path));
  EXPECT_EQ(status_of(foreign), 403) << foreign;
  EXPECT_THAT(foreign, Not(HasSubstr(path)));
  EXPECT_EQ(status_of(http_exchange(port(), del(path + "/abc", bearer("two")))), 403);
  EXPECT_EQ(status_of(http_exchange(port(), del(path + "/abc", bearer("one")))), 404);
  const std::string unknown = further("/sessions/00112233445566778899aabbccddeeff");
  for (const std::string key : {"one", "two"}) {
    EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), bearer(key), unknown))), 404);
    EXPECT_EQ(status_of(http_exchange(port(), del(unknown + "/abc", bearer(key)))), 404);
  }
  WorkerClient second(kV2Protocol);
  EXPECT_EQ(second.join(port(), first_.location(), bearer("one")), 201) << second.reply();
}

TEST_P(Connections, OfASessionAreCounted) {
  serve({"--max-connections", "1"});
  begin(kSize / 2);
  // One more than channels, for a client whose connection has died unnoticed.
  WorkerClient second(kV2Protocol);
  ASSERT_EQ(second.join(port(), first_.location()), 201) << second.reply();
  ASSERT_TRUE(second.channel().observer->wait_open());
  // Neither of them has been silent for long.
  ASSERT_TRUE(first_.say("{}"));
  const std::string reply =
      http_exchange(port(), post(request_body(), "", further(first_.location())));
  EXPECT_EQ(status_of(reply), 429) << reply;
  EXPECT_EQ(header_of(reply, "Retry-After"), "5");
  EXPECT_THAT(reply, HasSubstr("\"error_type\":\"TooManyConnections\""));
  EXPECT_EQ(status_of(http_exchange(port(), del(second.location()))), 200);
  std::string again;
  EXPECT_TRUE(eventually([&] {
    again = http_exchange(port(), post(request_body(), "", further(first_.location())));
    return status_of(again) == 201;
  })) << again;
}

TEST_P(Connections, AreAskedForAtTheHook) {
  std::atomic<bool> allows = false;
  test::HookServer hook([&](const test::HookQuestion& question) {
    const bool asks = question.body.find(R"("point":"connection")") != std::string::npos;
    return test::HookReply{.status = asks && !allows ? 402u : 204u};
  });
  serve({"--auth-hook", hook.url()});
  begin(kSize / 2);
  const std::string reply =
      http_exchange(port(), post(request_body(), "", further(first_.location())));
  EXPECT_EQ(status_of(reply), 402) << reply;
  EXPECT_THAT(hook.questions().back().body,
              HasSubstr(R"("session":")" + first_.location().substr(10) + "\""));
  const std::string named =
      R"("name":"film.mp4","content_type":"video/mp4","sha256":")" + test::sha256_of(file_) + "\"";
  EXPECT_TRUE(std::ranges::any_of(hook.questions(), [&](const auto& question) {
    return question.body.find(R"("point":"upload")") != std::string::npos &&
           question.body.find(named) != std::string::npos;
  }));
  allows = true;
  WorkerClient second(kV2Protocol);
  join(second);
  client_->send_all();
  expect_complete(second);
}

// A session whose upload has not begun, or is one in v1, has nothing that could be joined.
TEST_P(Connections, NeedAnUploadInV2) {
  serve();
  ASSERT_EQ(first_.connect(port()), 200);
  ASSERT_TRUE(first_.channel().observer->wait_open());
  const std::string path = further(first_.location());
  const std::string reply = http_exchange(port(), post(request_body(), "", path));
  EXPECT_EQ(status_of(reply), 409) << reply;
  EXPECT_EQ(status_of(http_exchange(port(), post("{}", "", path))), 422);
  EXPECT_EQ(status_of(http_exchange(port(), "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")), 405);
}

TEST_P(Connections, TheUploadGoesOnOverASecondOneWhenTheFirstIsLost) {
  serve();
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.hang_up();
  client_->lose(over_first_);
  WorkerClient second(kV2Protocol);
  join(second);
  client_->send_all();
  expect_complete(second);
  EXPECT_LE(client_->sender().sent_bytes(), kSize + kSize / 100);
}

// Nobody says good-bye, so that the server knows nothing of the loss.
TEST_P(Connections, TheUploadGoesOnOverASecondOneWhenTheFirstIsSilent) {
  serve({"--max-connections", "1"});
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.vanish();
  client_->lose(over_first_);
  WorkerClient second(kV2Protocol);
  join(second);
  client_->send_all();
  expect_complete(second);
}

// And so do those that follow: the one that has been silent longest makes room.
TEST_P(Connections, TheUploadGoesOnOverAThirdOneWhenTwoAreSilent) {
  serve({"--max-connections", "1", "--idle-timeout", "0"});
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.vanish();
  client_->lose(over_first_);
  WorkerClient second(kV2Protocol);
  const ChannelId over_second = join(second);
  second.vanish();
  client_->lose(over_second);
  WorkerClient third(kV2Protocol);
  ASSERT_EQ(third.join_when_there_is_room(port(), first_.location()), 201) << third.reply();
  ASSERT_TRUE(third.channel().observer->wait_open());
  client_->add(third.channel());
  client_->send_all();
  expect_complete(third);
}

TEST_P(Connections, NobodyComesBackInTime) {
  serve({"--resume-timeout", "0.3", "--max-sessions", "1"});
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.hang_up();
  const Event end = server_->wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "peer-gone") << end.text;
  EXPECT_EQ(end.bytes, static_cast<std::int64_t>(kSize / 2));
  expect_gone();
}

TEST_P(Connections, AnInterruptedSessionKeepsItsPlaceUntilItIsDeleted) {
  serve({"--max-sessions", "1", "--stall-timeout", "0.5"});
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.hang_up();
  const auto lost = [](const std::string& text) {
    return text.find("connection is lost") != text.npos;
  };
  ASSERT_TRUE(eventually([&] { return lost(server_->process().errors()); }));
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body()))), 429);
  EXPECT_EQ(status_of(http_exchange(port(), del(first_.location()))), 200);
  EXPECT_EQ(server_->wait_for_end(1).code, "cancelled");
  expect_gone();
}

// Its session is there until the server is not.
TEST_P(Connections, ThatWaitForTheHookAreToldThatTheServerStops) {
  std::atomic<bool> asked = false;
  test::HookServer hook([&](const test::HookQuestion& question) {
    const bool waits = question.body.find(R"("point":"connection")") != std::string::npos;
    if (waits) asked = true;
    return test::HookReply{.silent = waits};
  });
  serve({"--auth-hook", hook.url(), "--auth-hook-timeout", "600"});
  begin(kSize / 2);
  const test::RawHttp waits(port());
  waits.send(post(request_body(), "", further(first_.location())));
  ASSERT_TRUE(eventually([&] { return asked.load(); }));
  server_->process().signal(SIGTERM);
  const std::string reply = waits.read_all();
  EXPECT_EQ(status_of(reply), 503) << reply;
  EXPECT_THAT(reply, HasSubstr("\"error_type\":\"Stopping\""));
}

TEST_P(Connections, WhatClientsAreToldBefore) {
  serve();
  const std::string limits = http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(limits,
              HasSubstr(R"("protocols":["v1","v2"],"max_connections":4,"resume_timeout":60)"));
}

TEST_P(Connections, AServerOfV1TakesNoChannelOfV2) {
  serve({"--protocols", "v1", "--connect-timeout", "1", "--max-connections", "3",
         "--resume-timeout", "0.5"});
  const std::string limits = http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(limits, HasSubstr(R"("protocols":["v1"],"max_connections":3,"resume_timeout":1)"));
  ASSERT_EQ(first_.connect(port()), 200);
  ASSERT_TRUE(first_.channel().observer->wait_open());
  ASSERT_TRUE(test::say(first_.upload_channel(), test::hello_of(file_)));
  EXPECT_EQ(server_->wait_for_end(1).code, "connect-timeout");
  EXPECT_THAT(test::all_of<control::Ready>(*first_.channel().observer), IsEmpty());
}

// What has come is looked at, and no socket may be made any more.
// Not even where another one would have to make room.
TEST_P(Connections, OfferedAfterTheUploadIsCompleteAreRefusedAndTheSessionGoesOn) {
  serve({"--max-connections", "1"}, "identity sleep-time=20000 ! fakesink");
  begin(kSize / 2);
  WorkerClient second(kV2Protocol);
  second.want_no_results();
  join(second);
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  const std::string reply =
      http_exchange(port(), post(request_body(), "", further(first_.location())));
  ASSERT_EQ(status_of(reply), 409) << reply;
  expect_complete(first_);
}

// The first is lost, the second brings the rest and is lost as well. The analysis takes much
// longer.
struct Leaving {
  bool realtime;
  bool results_on_second;
};
class NobodyIsLeft : public Connections {
 protected:
  void leave_both(const Leaving& how) {
    serve({}, "identity sleep-time=100000 ! fakesink");
    WorkerRequest request;
    request.realtime = how.realtime;
    begin(kSize / 2, "", request);
    ASSERT_TRUE(client_->run_until_stored(kSize / 2));
    first_.hang_up();
    client_->lose(over_first_);
    WorkerClient second(kV2Protocol);
    if (!how.results_on_second) second.want_no_results();
    join(second);
    client_->send_all();
    ASSERT_TRUE(client_->run_to_end());
    second.hang_up();
    EXPECT_EQ(server_->wait_for_end(1).code, "peer-gone");
  }
};
INSTANTIATE_TEST_SUITE_P(All, NobodyIsLeft, ::testing::Values("process"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(NobodyIsLeft, ForResultsInRealTime) {
  leave_both({.realtime = true, .results_on_second = false});
}

TEST_P(NobodyIsLeft, ForResultsThatTheFirstWanted) {
  leave_both({.realtime = false, .results_on_second = false});
}

TEST_P(NobodyIsLeft, ForResultsThatTheSecondWanted) {
  leave_both({.realtime = false, .results_on_second = true});
}

class IsolatedConnections : public Connections {};
INSTANTIATE_TEST_SUITE_P(All, IsolatedConnections, ::testing::Values("process"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(IsolatedConnections, TheProcessOfAnInterruptedSessionIsKilled) {
  serve();
  begin(kSize / 2);
  ASSERT_TRUE(client_->run_until_stored(kSize / 2));
  first_.hang_up();
  const auto processes = test::children_of(server_->process().pid());
  ASSERT_EQ(processes.size(), 1u);
  ASSERT_EQ(kill(*processes.begin(), SIGKILL), 0);
  const Event end = server_->wait_for_end(1);
  EXPECT_EQ(end.code, "crashed") << end.text;
  expect_gone();
}

// With the memory that a session has by default.
TEST_P(IsolatedConnections, AsManyAsThereMayBeFitIntoTheProcess) {
  serve({"--max-connections", "8"});
  begin(kSize / 2);
  std::vector<std::unique_ptr<WorkerClient>> others;
  for (int i = 1; i < 8; ++i) {
    others.push_back(std::make_unique<WorkerClient>(kV2Protocol));
    join(*others.back());
  }
  client_->send_all();
  expect_complete(*others.back());
}

}  // namespace
}  // namespace webrtcupload
