// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How results flow from `webrtc-upload serve` to a client: how far ahead of its acknowledgements,
// over a bad network, and whether anything is left when many clients came and went.

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "clients/flow_support.h"
#include "clients/upload_client.h"
#include "support/udp_relay.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

constexpr std::size_t kWindow = 32;

void expect_stops(Server& server) {
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait_for_exit(), 0) << server.process().errors();
}

// One result for each frame, in order, then the completion.
void expect_all_results(const UploadClient& client, std::size_t frames) {
  const auto results = client.results();
  ASSERT_EQ(results.size(), frames + 1) << client.problem();
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_EQ(results[i].frame_id, i + 1);
    const bool complete = results[i].json.find("\"processing_complete\":true") != std::string::npos;
    ASSERT_EQ(complete, i == frames) << results[i].json;
  }
  EXPECT_NE(results.back().json.find("\"errors\":[]"), std::string::npos) << results.back().json;
}

// A client far away: each acknowledgement takes its time, and results go on meanwhile.
TEST(Flow, AWindowOfResultsIsUnderWayForEachAcknowledgement) {
  constexpr std::size_t kFrames = 400;
  Server server({}, kTrivialAnalyser);
  UploadClient client({.url = server.url(),
                       .film = draw_film(kFrames),
                       .data_output = {"predictions"},
                       .acknowledges = false});
  // Nothing is acknowledged yet, and nothing waits for that.
  ASSERT_TRUE(client.wait_results(1)) << client.problem();
  // It may have sent any number by now. From its first acknowledgement on it keeps to the window,
  // counted from what it has heard of.
  std::size_t acknowledged = 1;
  client.acknowledge(1);
  while (acknowledged <= kFrames) {
    const std::size_t expected = std::min(acknowledged + kWindow, kFrames + 1);
    ASSERT_TRUE(client.wait_results(expected))
        << "after " << client.results().size() << " results, of which " << acknowledged
        << " are acknowledged: " << client.problem();
    acknowledged = expected;
    client.acknowledge(static_cast<std::uint32_t>(acknowledged));
  }
  ASSERT_TRUE(client.wait_closed()) << client.problem();
  expect_all_results(client, kFrames);
  expect_stops(server);
}

struct Network {
  const char* name;
  UdpRelay::Options options;
};

class OverANetwork : public ::testing::TestWithParam<Network> {};

TEST_P(OverANetwork, EveryResultArrivesOnceAndInOrder) {
  constexpr std::size_t kFrames = 300;
  UdpRelay relay(GetParam().options);
  Server server({}, kTrivialAnalyser);
  UploadClient client(
      {.url = server.url(),
       .film = draw_film(kFrames, 500),
       .data_output = {"predictions"},
       .rewrite_offer = [&](const std::string& sdp) { return relay.rewrite_offer(sdp); },
       .rewrite_answer = [&](const std::string& sdp) { return relay.rewrite_answer(sdp); }});
  ASSERT_TRUE(client.wait_closed()) << client.problem() << server.process().errors();
  expect_all_results(client, kFrames);
  EXPECT_EQ(server.wait_for_end(1).status, "done");
  // It went through the relay, and met what it was to meet there.
  EXPECT_GT(relay.counts().forwarded, kFrames);
  EXPECT_EQ(relay.counts().lost > 0, GetParam().options.loss > 0);
  expect_stops(server);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, OverANetwork,
    ::testing::Values(Network{"Slow", {.delay = std::chrono::milliseconds(25)}},
                      Network{"Lossy", {.delay = std::chrono::milliseconds(5), .loss = 0.02}},
                      Network{"Narrow",
                              {.delay = std::chrono::milliseconds(5), .bandwidth = 250'000}}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

struct Course {
  const char* isolation;
  int warm_up;
  int sessions;
};

class Sessions : public ::testing::TestWithParam<Course> {};

// The benchmark `sessions` does the same with a thousand.
TEST_P(Sessions, NothingIsLeftOfThem) {
  const auto& [isolation, warm_up, sessions] = GetParam();
  constexpr std::size_t kMaxGrowth = 10 << 20;
  const std::string film = draw_film(5);
  Server server({"--isolation", isolation}, kTrivialAnalyser);
  const pid_t pid = server.process().pid();
  Usage before;
  for (int session = 1; session <= sessions; ++session) {
    {
      UploadClient client({.url = server.url(), .film = film, .data_output = {"predictions"}});
      ASSERT_TRUE(client.wait_closed()) << session << ": " << client.problem();
      ASSERT_NO_FATAL_FAILURE(expect_all_results(client, 5)) << session;
    }
    ASSERT_EQ(server.wait_for_end(session).status, "done") << session;
    if (session == warm_up) before = settled_usage_of(pid, usage_of(pid));
  }
  const Usage after = settled_usage_of(pid, before);
  EXPECT_LT(after.resident, before.resident + kMaxGrowth);
  EXPECT_LE(after.descriptors, before.descriptors);
  EXPECT_LE(after.threads, before.threads);
  EXPECT_EQ(after.children, 0u);
  expect_stops(server);
}

INSTANTIATE_TEST_SUITE_P(Isolation, Sessions,
                         ::testing::Values(Course{"process", 5, 25}, Course{"none", 30, 90}),
                         [](const auto& test_case) {
                           return std::string(test_case.param.isolation);
                         });

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  // What is left of sessions is looked for from outside; a tracer that keeps a record of objects,
  // and an allocator that keeps a heap for each thread, would blur that.
  unsetenv("GST_TRACERS");
  setenv("MALLOC_ARENA_MAX", "1", 1);
  gst_init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
