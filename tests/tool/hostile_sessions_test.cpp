// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many sessions of `webrtc-upload serve` at once whose clients want to do harm, each in its own
// way, and a good one beside them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sample_offers.h"
#include "server.h"
#include "signalling/worker_request.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::Bytes;
using test::Event;
using test::eventually;
using test::Process;
using test::Server;
using test::WorkerClient;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;

std::size_t threads_of(pid_t pid) {
  std::error_code error;
  const fs::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task", error);
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

// What it has alone, and its share of what others have too.
std::size_t memory_of(pid_t pid) {
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  std::size_t kilobytes = 0;
  while (rollup >> word) {
    if (word == "Pss:" && rollup >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

// The largest that a server and its sessions' processes had together.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t server)
      : thread_([this, server] {
          while (!done_) {
            std::size_t all = memory_of(server);
            const auto children = test::children_of(server);
            for (const pid_t child : children) all += memory_of(child);
            if (all > peak_) {
              peak_ = all;
              sessions_ = children.size();
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
          }
        }) {}
  ~MemoryWatch() {
    done_ = true;
    thread_.join();
  }
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  [[nodiscard]] std::size_t peak() const { return peak_; }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }

 private:
  std::atomic<bool> done_ = false;
  std::atomic<std::size_t> peak_ = 0;
  std::atomic<std::size_t> sessions_ = 0;
  std::thread thread_;
};

// What a hostile client does, and with which of the documented codes its session then ends.
struct Attack {
  const char* name;
  std::function<void(WorkerClient&)> act;
  std::vector<std::string> codes;
};

void send_all(GstWebRTCDataChannel* channel, int count, const std::string& text) {
  // Until it is closed.
  for (int i = 0; i < count && test::send_text(channel, text); ++i) continue;
}

std::vector<Attack> attacks() {
  const auto chunk = [](const WorkerClient& client, std::uint32_t index, std::uint32_t total,
                        std::size_t size, std::uint32_t seed = 1) {
    EXPECT_TRUE(
        test::send_chunk(client.upload_channel(), index, total, test::random_bytes(size, seed)));
  };
  return {
      {"short message",
       [](WorkerClient& client) {
         EXPECT_TRUE(test::send_bytes(client.upload_channel(), Bytes(3)));
       },
       {"malformed-message"}},
      {"texts over both channels",
       [](WorkerClient& client) {
         send_all(client.results_channel(), 500, std::string(1000, '{'));
         send_all(client.upload_channel(), 50, std::string(60'000, 'x'));
       },
       {"malformed-message"}},
      {"keepalives and nothing else",
       [](WorkerClient& client) {
         for (int i = 0; i < 5000 && test::send_bytes(client.upload_channel(), Bytes{1}); ++i) {
         }
       },
       {"idle-timeout"}},
      {"channels",
       [](WorkerClient& client) {
         for (int i = 0; i < 80; ++i) EXPECT_TRUE(client.open("video_upload"));
       },
       {"too-many-channels"}},
      {"another total",
       [chunk](WorkerClient& client) {
         chunk(client, 0, 3, 1000);
         chunk(client, 1, 4, 1000);
       },
       {"total-changed"}},
      {"acknowledgements of what was never sent, and a conflict",
       [chunk](WorkerClient& client) {
         for (const char* ack :
              {R"({"ack": 1})", R"({"ack": 4294967295})", R"({"ack": 99999999999999999999})",
               R"({"ack": -1})", R"({"ack": 1e300})", R"({"ack": [1]})", R"({"ack")", "null", "[]",
               R"({"data_output": 7, "stream_output": {}})"}) {
           send_all(client.results_channel(), 200, ack);
         }
         chunk(client, 2, 3, 1000);
         chunk(client, 2, 3, 1000, 2);
       },
       {"conflicting-chunk"}},
      {"more chunks than there may be",
       [chunk](WorkerClient& client) { chunk(client, 0, G_MAXUINT32, 1); },
       {"too-many-chunks"}},
      {"a chunk that reserves all there may be, and the end of the connection",
       [chunk](WorkerClient& client) {
         chunk(client, 0, 300, 65'000);
         EXPECT_TRUE(client.wait_stored());
         client.hang_up();
       },
       {"peer-gone"}},
      {"a chunk, and no word more",
       [chunk](WorkerClient& client) {
         chunk(client, 0, 300, 65'000);
         EXPECT_TRUE(client.wait_stored());
         client.vanish();
       },
       {"idle-timeout", "peer-gone"}},
      {"a larger file than there may be",
       [](WorkerClient& client) {
         const Bytes payload = test::random_bytes(65'000);
         for (std::uint32_t i = 0; i < 400; ++i) {
           if (!test::send_chunk(client.upload_channel(), i, 400, payload)) break;
         }
       },
       {"too-large"}},
      {"no video",
       [chunk](WorkerClient& client) {
         chunk(client, 1, 2, 50'000, 7);
         chunk(client, 0, 2, 50'000, 8);
       },
       {"not-a-video", "processing-failed"}},
  };
}

class HostileSessions : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-hostile-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(directory_); }

  static std::string checksum_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const GCharPtr text(g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(bytes.data()), bytes.size()));
    return text.get();
  }

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
  const auto all = attacks();
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
        attack.act(*clients[i]);
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
  EXPECT_EQ(checksum_of(kept), checksum_of(film));
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
