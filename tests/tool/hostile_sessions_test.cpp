// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many sessions of `webrtc-upload serve` at once whose clients want to do harm, each in its own
// way, and a good one beside them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "attacks.h"
#include "memory_watch.h"
#include "server.h"
#include "support/checksum.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::Attack;
using test::Bytes;
using test::Event;
using test::eventually;
using test::MemoryWatch;
using test::Process;
using test::Server;
using test::WorkerClient;
using ::testing::HasSubstr;

std::size_t threads_of(pid_t pid) {
  std::error_code error;
  const fs::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task", error);
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

class HostileSessions : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-hostile-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string directory_;
};

TEST_F(HostileSessions, LeaveAGoodOneAlone) {
  constexpr std::size_t kRounds = 2;
  constexpr std::size_t kFile = 16'000'000;
  const std::string film = directory_ + "/film";
  const Bytes bytes = test::random_bytes(kFile, 9);
  std::ofstream(film, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(kFile));
  const std::string kept = directory_ + "/kept/film";
  fs::create_directory(directory_ + "/kept");
  const auto all = test::attacks();
  const std::size_t hostile = kRounds * all.size();

  Server server({"--pipeline", "keep=filesink location=" + kept, "--max-sessions",
                 std::to_string(hostile + 1), "--max-size", "20000000", "--idle-timeout", "20",
                 "--connect-timeout", "60"},
                "decodebin ! fakesink");
  const pid_t pid = server.process().pid();
  // What the first session needs stays.
  {
    WorkerClient first;
    ASSERT_EQ(first.connect(server.port()), 200);
    ASSERT_TRUE(first.wait_open());
    first.hang_up();
    server.wait_for_end(1);
  }
  ASSERT_TRUE(eventually([&] { return test::children_of(pid).empty(); }));
  const std::size_t descriptors = test::descriptors_of(pid);
  const std::size_t threads = threads_of(pid);

  std::size_t peak = 0;
  std::size_t sessions = 0;
  std::vector<std::string> paths(hostile);
  {
    const MemoryWatch memory(pid);
    std::vector<std::unique_ptr<WorkerClient>> clients(hostile);
    std::vector<std::thread> actors;
    for (std::size_t i = 0; i < hostile; ++i) {
      actors.emplace_back([&, i] {
        const Attack& attack = all[i % all.size()];
        clients[i] = std::make_unique<WorkerClient>();
        EXPECT_EQ(clients[i]->connect(server.port()), 200) << clients[i]->reply();
        paths[i] = clients[i]->location();
        EXPECT_TRUE(clients[i]->wait_open()) << attack.name;
        EXPECT_TRUE(attack.act(*clients[i])) << attack.name;
      });
    }
    Process good({test::program(), "send", film, "--to", server.url(), "--workflow", "keep"});
    EXPECT_EQ(good.wait_for_exit(3 * test::kDeadline), 0) << good.errors();
    for (std::thread& actor : actors) actor.join();
    for (std::size_t i = 0; i < hostile; ++i) {
      const Attack& attack = all[i % all.size()];
      const auto line = server.process().wait_for_line([&](const std::string& text) {
        return text.find("\"event\":\"end\"") != std::string::npos &&
               text.find(paths[i].substr(paths[i].rfind('/') + 1)) != std::string::npos;
      });
      ASSERT_TRUE(line) << attack.name << " has no end";
      const auto end = test::parse_event(*line);
      ASSERT_TRUE(end);
      EXPECT_EQ(end->status, "failed") << attack.name;
      EXPECT_NE(std::ranges::find(attack.codes, end->code), attack.codes.end())
          << attack.name << ": " << *line;
    }
    peak = memory.peak();
    sessions = memory.sessions();
  }
  EXPECT_EQ(test::sha256_of(kept), test::sha256_of(film));
  std::cout << "[ memory ] " << peak / 1'000'000 << " MB with " << sessions << " sessions, "
            << hostile << " hostile ones in all" << std::endl;
  // Each is a process with GStreamer in it.
  constexpr std::size_t kMiB = 1024 * 1024;
  EXPECT_LT(peak, (64 + 64 * (hostile + 1)) * kMiB);

  // One end each, and nothing left.
  const auto events = server.events();
  for (const std::string& path : paths) {
    EXPECT_EQ(std::ranges::count_if(events,
                                    [&](const Event& e) {
                                      return e.event == "end" && "/sessions/" + e.session == path;
                                    }),
              1);
  }
  EXPECT_TRUE(eventually([&] { return test::children_of(pid).empty(); }));
  EXPECT_TRUE(eventually([&] { return test::descriptors_of(pid) <= descriptors; }))
      << test::descriptors_of(pid) << ", " << descriptors << " before";
  EXPECT_TRUE(eventually([&] { return threads_of(pid) <= threads; }))
      << threads_of(pid) << ", " << threads << " before";
}

// Here nothing ends with a process.
TEST_F(HostileSessions, WithManyChannelsLeaveNothingInTheServersProcess) {
  Server server({"--isolation", "none", "--connect-timeout", "60"}, "fakesink");
  const pid_t pid = server.process().pid();
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  for (int session = 1; session <= 6; ++session) {
    WorkerClient client;
    ASSERT_EQ(client.connect(server.port()), 200);
    ASSERT_TRUE(client.wait_open());
    for (int i = 0; i < 80; ++i) ASSERT_TRUE(client.open("another"));
    const Event end = server.wait_for_end(session);
    EXPECT_EQ(end.code, "too-many-channels");
    EXPECT_THAT(end.message, HasSubstr("more than 16 data channels"));
    // From the second one on all is as after the first.
    if (session == 1) {
      ASSERT_TRUE(eventually([&] { return threads_of(pid) < 40; })) << threads_of(pid);
      descriptors = test::descriptors_of(pid);
      threads = threads_of(pid);
    }
  }
  EXPECT_TRUE(eventually([&] { return test::descriptors_of(pid) <= descriptors; }))
      << test::descriptors_of(pid) << ", " << descriptors << " before";
  EXPECT_TRUE(eventually([&] { return threads_of(pid) <= threads; }))
      << threads_of(pid) << ", " << threads << " before";
}

}  // namespace
}  // namespace webrtcupload
