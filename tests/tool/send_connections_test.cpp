// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload send` over several connections, and over another one when all are lost.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tool/end_to_end.h"
#include "tool/network.h"

namespace webrtcupload::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kDone = "done: verified, sha256 ";
constexpr std::uintmax_t kSize = 12'000'000;

bool is_further_offer(const HookQuestion& question) {
  return question.method == "POST" && question.path.ends_with("/connections");
}

class SendConnections : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    // Every byte of it counts, and it takes no space.
    std::ofstream(file()) << "begin";
    std::filesystem::resize_file(file(), kSize - 3);
    std::ofstream(file(), std::ios::app) << "end";
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory()); }
  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string file() { return directory() + "/film"; }

  void serve(std::vector<std::string> more = {}) { server_.emplace(std::move(more), kSwallow); }
  void connect(Network::Interfere interfere = nullptr, std::uint64_t bandwidth = 6'000'000) {
    network_.emplace(*server_, std::move(interfere), UdpRelay::Options{.bandwidth = bandwidth});
  }
  void start(const std::string& connections = "1") {
    sender_ = std::make_unique<Process>(std::vector<std::string>{
        program(), "send", file(), "--to", network_->url(), "--connections", connections});
  }
  // Until the server has some of it.
  void wait_under_way() {
    ASSERT_TRUE(sender_->wait_for_line([](const std::string& line) {
      const int percent = std::atoi(line.c_str());
      return percent >= 10 && percent < 90;
    })) << sender_->errors();
  }
  void expect_done() {
    end_ = outcome_of(*sender_);
    EXPECT_EQ(end_.status, 0) << end_.errors << end_.output;
    EXPECT_EQ(end_.errors, "");
    EXPECT_THAT(end_.output, HasSubstr(kDone));
  }
  // And nothing is left.
  void expect_complaint(const std::string& says) {
    end_ = outcome_of(*sender_);
    EXPECT_EQ(end_.status, 1) << end_.output;
    EXPECT_THAT(end_.errors, AllOf(StartsWith("webrtc-upload send: "), HasSubstr(says)));
    EXPECT_EQ(std::ranges::count(end_.errors, '\n'), 1) << end_.errors;
  }
  // How many requests of that kind there were.
  std::ptrdiff_t count(const std::string& method, const std::string& path) const {
    return std::ranges::count_if(network_->requests(), [&](const std::string& request) {
      return request.starts_with(method + " ") && request.find(path) != std::string::npos;
    });
  }

  std::optional<Server> server_;
  std::optional<Network> network_;
  std::unique_ptr<Process> sender_;
  Outcome end_;
};

TEST_F(SendConnections, AreAsManyAsAreWantedAndEachCarriesSomething) {
  serve();
  // So narrow that the first alone has not sent all of it before the last one is there.
  connect(nullptr, 1'000'000);
  start("4");
  expect_done();
  ASSERT_EQ(network_->connections(), 4U);
  EXPECT_EQ(count("POST", "/connections"), 3);
  // The one for the results stays until the session ends.
  EXPECT_EQ(count("DELETE", "/connections/"), 3);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GT(network_->counts(i).forwarded, kSize / 1200 / 16) << "the one with number " << i;
  }
  EXPECT_EQ(server_->wait_for_end(1).bytes, static_cast<std::int64_t>(kSize));
}

TEST_F(SendConnections, AreNoMoreThanTheServerTakes) {
  serve({"--max-connections", "2"});
  connect();
  start("5");
  expect_done();
  EXPECT_THAT(end_.output, HasSubstr("the server takes at most 2 connections for one upload\n"));
  EXPECT_EQ(network_->connections(), 2U);
}

// It says that it takes more than it does, and what it says to further offers is of no use.
TEST_F(SendConnections, ThatDoNotComeAboutHarmNothing) {
  serve();
  for (const HookReply& reply :
       {HookReply{500, "{}", {}, false}, HookReply{403, "{}", {}, false},
        HookReply{201, R"({"sdp":"v=0","type":"answer"})", {{"Location", "/x"}}, false}}) {
    connect([&](const HookQuestion& question) -> std::optional<HookReply> {
      if (question.path == "/limits") {
        return HookReply{
            200, R"({"protocols":["v1","v2"],"max_connections":1000000000})", {}, false};
      }
      if (is_further_offer(question)) return reply;
      return std::nullopt;
    });
    start("3");
    expect_done();
    EXPECT_EQ(network_->connections(), 1U);
    EXPECT_GE(count("POST", "/connections"), 1) << reply.status;
  }
}

// Of two the one with the results, and the other one. What it had under way goes over the one that
// is left.
TEST_F(SendConnections, ThatAreLostBesideOthersAreMissedByNobody) {
  serve();
  for (const std::size_t lost : {0U, 1U}) {
    connect();
    start("2");
    ASSERT_TRUE(eventually([&] {
      return network_->connections() == 2 && network_->counts(1).forwarded > 200;
    })) << sender_->errors();
    network_->cut_packets(lost);
    expect_done();
    EXPECT_THAT(end_.output, Not(HasSubstr("Connection lost")));
    EXPECT_EQ(server_->wait_for_end(lost == 0 ? 1 : 2).bytes, static_cast<std::int64_t>(kSize));
  }
}

TEST_F(SendConnections, AreReplacedWhenTheyAreLost) {
  serve();
  connect();
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_done();
  EXPECT_THAT(end_.output,
              AllOf(HasSubstr("Connection lost, trying again (attempt 1, 60 s left)\n"),
                    HasSubstr("connected again\n")));
  EXPECT_EQ(network_->connections(), 2U);
  EXPECT_EQ(server_->wait_for_end(1).bytes, static_cast<std::int64_t>(kSize));
}

// A proxy has the server below a path of its own.
TEST_F(SendConnections, AreReplacedBehindAProxy) {
  serve();
  connect();
  sender_ = std::make_unique<Process>(
      std::vector<std::string>{program(), "send", file(), "--to",
                               network_->url() + Network::kBelow + "initialise_webrtc_worker"});
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_done();
  EXPECT_EQ(count("POST", "/connections"), 1);
  EXPECT_EQ(count("DELETE", "/video/sessions/"), count("DELETE", "/sessions/"));
  EXPECT_EQ(server_->wait_for_end(1).bytes, static_cast<std::int64_t>(kSize));
}

TEST_F(SendConnections, AreTriedAgainUntilOneComesAbout) {
  serve();
  std::atomic<int> refused = 0;
  connect([&](const HookQuestion& question) -> std::optional<HookReply> {
    if (!is_further_offer(question) || refused == 3) return std::nullopt;
    ++refused;
    if (refused == 1) return HookReply{429, "{}", {{"Retry-After", "1"}}, false};
    return HookReply{.status = 502};
  });
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_done();
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(network_->connections(), 2U);
  // One line for some seconds, however many tries.
  EXPECT_LE(std::ranges::count(
                sender_->lines(), true,
                [](const std::string& line) { return line.starts_with("Connection lost"); }),
            3);
}

TEST_F(SendConnections, AreNotTriedForLongerThanTheServerWaits) {
  serve({"--resume-timeout", "2"});
  connect([](const HookQuestion& question) -> std::optional<HookReply> {
    if (is_further_offer(question)) return HookReply{.status = 502};
    return std::nullopt;
  });
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_complaint("peer-gone: the connection was lost (");
  EXPECT_THAT(end_.errors, HasSubstr(") and did not come back within 2 s: "));
  // The server need not wait for anybody.
  EXPECT_EQ(count("DELETE", "/sessions/"), 1);
  EXPECT_NE(server_->wait_for_end(1).status, "done");
}

TEST_F(SendConnections, ThatAreForbiddenAreNotTriedAgain) {
  serve();
  connect([](const HookQuestion& question) -> std::optional<HookReply> {
    if (is_further_offer(question)) {
      return HookReply{403, R"({"message":"No more of that."})", {}, false};
    }
    return std::nullopt;
  });
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_complaint(" and cannot come back: the server answered with HTTP status 403");
  EXPECT_EQ(count("POST", "/connections"), 1);
}

// Whatever is asked, nothing is known of the session.
TEST_F(SendConnections, OfALostSessionAreThoseOfAnotherUpload) {
  serve();
  std::string forgotten;
  connect([&](const HookQuestion& question) -> std::optional<HookReply> {
    if (is_further_offer(question)) {
      forgotten = question.path.substr(0, question.path.rfind('/'));
    } else if (question.method != "GET" || question.path != forgotten) {
      return std::nullopt;
    }
    return HookReply{.status = 404};
  });
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  network_->cut_packets();
  expect_done();
  EXPECT_THAT(end_.output, HasSubstr("The server has lost the upload (peer-gone: the server does "
                                     "not know this upload any more), starting anew\n"));
  EXPECT_EQ(server_->wait_for_end(2).bytes, static_cast<std::int64_t>(kSize));
}

void kill_session_of(Server& server) {
  const auto children = children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1U);
  kill(*children.begin(), SIGKILL);
}

TEST_F(SendConnections, OfAKilledSessionAreThoseOfAnotherUpload) {
  serve();
  connect();
  start();
  ASSERT_NO_FATAL_FAILURE(wait_under_way());
  ASSERT_NO_FATAL_FAILURE(kill_session_of(*server_));
  expect_done();
  EXPECT_THAT(end_.output, AllOf(HasSubstr("The server has lost the upload (crashed: "),
                                 HasSubstr("ended by signal 9), starting anew\n")));
  EXPECT_EQ(server_->wait_for_end(1).code, "crashed");
  EXPECT_EQ(server_->wait_for_end(2).status, "done");
}

// What came once does not come again.
TEST_F(SendConnections, OfAKilledSessionAreTheLastOnesOfAnInput) {
  serve();
  connect();
  sender_ = std::make_unique<Process>(std::vector<std::string>{
      "/bin/sh", "-c", "cat " + file() + " | " + program() + " send - --to " + network_->url()});
  ASSERT_TRUE(eventually([&] {
    return network_->connections() == 1 && network_->counts(0).forwarded > 500;
  })) << sender_->errors();
  ASSERT_NO_FATAL_FAILURE(kill_session_of(*server_));
  expect_complaint("crashed: ");
  EXPECT_THAT(end_.output, Not(HasSubstr("anew")));
  EXPECT_EQ(network_->connections(), 1U);
}

// Each time at once.
TEST_F(SendConnections, OfOneThatCrashesEachTimeComeToAnEnd) {
  serve();
  connect();
  start();
  for (int session = 1; session <= 3; ++session) {
    ASSERT_TRUE(eventually([&] {
      return children_of(server_->process().pid()).size() == 1 &&
             network_->connections() == static_cast<std::size_t>(session) &&
             network_->counts(network_->connections() - 1).forwarded > 100;
    })) << session
        << sender_->errors();
    ASSERT_NO_FATAL_FAILURE(kill_session_of(*server_));
    EXPECT_EQ(server_->wait_for_end(session).code, "crashed");
  }
  expect_complaint("crashed: the server could not cope with this video: ");
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
