// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` and `send` when one of them, or the network between them, is gone from one
// moment to the next: who is left says so in time, and nothing is left of the session. In wire
// format v1, which does not go on.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <random>
#include <string>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "clients/flow_support.h"
#include "tool/network.h"
#include "tool/server.h"
#include "unit/core/hostile_system.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// For uploads that are only to be received.
constexpr const char* kSwallow = "fakesink";
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kLargeFile = 64 * kMiB;

// How far `pid` has read `path`; 0 while it does not have it open.
std::uint64_t position_in(pid_t pid, const std::string& path) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(proc + "/fd", error)) {
    if (fs::read_symlink(entry.path(), error) != path) continue;
    std::ifstream info(proc + "/fdinfo/" + entry.path().filename().string());
    std::string field;
    std::uint64_t position = 0;
    if (info >> field >> position && field == "pos:") return position;
  }
  return 0;
}

class Faults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    std::ofstream(file("film.mp4"), std::ios::binary) << draw_film(5);
    // Takes a while, and no space.
    std::ofstream(file("large.bin")) << "x";
    fs::resize_file(file("large.bin"), kLargeFile);
    cut_off() = std::make_unique<CutOff>();
  }
  static void TearDownTestSuite() {
    cut_off().reset();
    fs::remove_all(directory());
  }

  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string file(const std::string& name) { return directory() + "/" + name; }

  static std::unique_ptr<Process> start_send(const std::string& url, const std::string& name) {
    return std::make_unique<Process>(
        std::vector<std::string>{program(), "send", file(name), "--to", url, "--protocol", "v1"});
  }
  // Until the sender has read that much of the large file.
  static void wait_position(const Process& sender, std::uint64_t position) {
    ASSERT_TRUE(eventually([&] {
      return position_in(sender.pid(), file("large.bin")) >= position;
    })) << position
        << ": " << sender.errors();
  }
  static void expect_upload_works(Server& server) {
    const auto sender = start_send(server.url(), "film.mp4");
    EXPECT_EQ(sender->wait_for_exit(), 0) << sender->errors() << server.process().errors();
  }

  // An upload whose client reaches nobody any more, from some moment on. It takes that client most
  // of a minute to be sure, for which the other tests have not to wait.
  struct CutOff {
    CutOff() : sender(start_send(network.url(), "large.bin")) {
      wait_position(*sender, 4 * kMiB);
      network.cut_all();
    }
    Server server{{"--idle-timeout", "5"}, kSwallow};
    Network network{server};
    std::unique_ptr<Process> sender;
  };
  static std::unique_ptr<CutOff>& cut_off() {
    static std::unique_ptr<CutOff> instance;
    return instance;
  }
};

constexpr const char* kIsolations[] = {"process", "none"};

// Both kinds of server at once, since it takes a while until a client is known to be gone.
TEST_F(Faults, NothingIsLeftOfUploadsWhoseSendersAreKilled) {
  constexpr int kFirst = 2;
  constexpr int kKilled = 10;
  struct Side {
    std::unique_ptr<Server> server;
    Usage before;
  };
  std::vector<Side> sides;
  for (const char* isolation : kIsolations) {
    // A client that is there is given ten minutes to read why its upload failed.
    sides.push_back({std::make_unique<Server>(
                         std::vector<std::string>{"--isolation", isolation, "--max-sessions", "16",
                                                  "--idle-timeout", "5"},
                         "decodebin ! videoconvert ! webrtcresultsink linger=600000000000"),
                     {}});
    // What a process keeps once it has had sessions, it has afterwards.
    for (int i = 1; i <= kFirst; ++i) expect_upload_works(*sides.back().server);
    const pid_t pid = sides.back().server->process().pid();
    sides.back().before = settled_usage_of(pid, usage_of(pid));
  }
  // The same moments in every run, as far as the file is concerned.
  std::mt19937_64 random(9);
  std::uniform_int_distribution<std::uint64_t> anywhere(2 * kMiB, kLargeFile / 4);
  for (int i = 0; i < kKilled; ++i) {
    const std::uint64_t moment = anywhere(random);
    for (const Side& side : sides) {
      const auto sender = start_send(side.server->url(), "large.bin");
      ASSERT_NO_FATAL_FAILURE(wait_position(*sender, moment)) << side.server->process().errors();
      sender->signal(SIGKILL);
      EXPECT_EQ(sender->wait_for_exit(), -SIGKILL);
    }
  }
  // `--idle-timeout`, and 10 s in which nobody answers the last word. The machine may be slow; but
  // ICE gives up after 30 s, and that is not what is waited for.
  constexpr seconds kNoticed{5 + 10 + 12};
  const auto killed = std::chrono::steady_clock::now();
  for (const Side& side : sides) {
    Server& server = *side.server;
    for (int session = kFirst + 1; session <= kFirst + kKilled; ++session) {
      const Event end = server.wait_for_end(session);
      EXPECT_EQ(end.status, "failed") << session;
      EXPECT_THAT(end.code, AnyOf("idle-timeout", "peer-gone")) << session;
      EXPECT_NE(end.message, "") << session;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - killed, kNoticed);
  }
  for (const Side& side : sides) {
    Server& server = *side.server;
    const Usage after = settled_usage_of(server.process().pid(), side.before);
    EXPECT_LE(after.descriptors, side.before.descriptors);
    EXPECT_LE(after.threads, side.before.threads);
    EXPECT_EQ(after.children, 0U);
    expect_upload_works(server);
    EXPECT_EQ(server.wait_for_end(kFirst + kKilled + 1).status, "done");
    const auto events = server.events();
    EXPECT_EQ(std::ranges::count(events, "end", &Event::event), kFirst + kKilled + 1);
  }
}

TEST_F(Faults, AKilledServerLeavesNoFileAndStartsAgainAtOnce) {
  for (const std::string isolation : kIsolations) {
    SCOPED_TRACE(isolation);
    Server server({"--isolation", isolation}, kSwallow);
    const auto sender = start_send(server.url(), "large.bin");
    ASSERT_NO_FATAL_FAILURE(wait_position(*sender, 4 * kMiB));
    server.process().signal(SIGKILL);
    EXPECT_EQ(server.process().wait_for_exit(), -SIGKILL);
    EXPECT_TRUE(fs::is_empty(server.spool()));
    {
      // In its place: the same address and the same directory.
      Server again({"--isolation", isolation, "--port", std::to_string(server.port()),
                    "--spool-directory", server.spool()},
                   kSwallow);
      EXPECT_EQ(again.url(), server.url());
      expect_upload_works(again);
      EXPECT_TRUE(fs::is_empty(server.spool()));
      again.process().signal(SIGTERM);
      EXPECT_EQ(again.process().wait_for_exit(), 0) << again.process().errors();
    }
    EXPECT_EQ(sender->wait_for_exit(), 1);
    // The session's process may be faster than its own end.
    EXPECT_THAT(sender->errors(), AnyOf(StartsWith("webrtc-upload send: the server is gone: "),
                                        "webrtc-upload send: cancelled: the server is stopping\n"));
  }
}

// Whose disk is full, or becomes read-only while it runs: it says so, takes no harm, and goes on
// when the disk does.
TEST_F(Faults, AServerOutlivesItsDisk) {
  for (const std::string isolation : kIsolations) {
    SCOPED_TRACE(isolation);
    const std::string spool = file("spool-" + isolation);
    ASSERT_TRUE(fs::create_directory(spool));
    const int mount_error = webrtcupload::testing::run_with_tmpfs(spool, "size=4m", 0, [&] {
      Server server({"--isolation", isolation, "--spool-directory", spool}, kSwallow);
      const auto expect_failure = [&](const char* sentence) {
        const auto sender = start_send(server.url(), "large.bin");
        EXPECT_EQ(sender->wait_for_exit(), 1);
        EXPECT_THAT(sender->errors(), HasSubstr(sentence));
        // Where the server keeps its files is nobody's business.
        EXPECT_THAT(sender->errors(), Not(HasSubstr(directory())));
      };
      expect_failure("No space left on device");
      const Event end = server.wait_for_end(1);
      EXPECT_EQ(end.code, "storage-failed");
      expect_upload_works(server);
      // Which it does not while the files of the last session are open.
      const auto remount = [&](unsigned long flags) {
        EXPECT_TRUE(eventually([&] {
          return mount("none", spool.c_str(), nullptr, MS_REMOUNT | flags, "size=4m") == 0;
        })) << std::strerror(errno);
      };
      remount(MS_RDONLY);
      expect_failure("Read-only file system");
      remount(0);
      expect_upload_works(server);
    });
    if (mount_error == EPERM) GTEST_SKIP() << "cannot mount: " << std::strerror(EPERM);
    ASSERT_EQ(mount_error, 0) << std::strerror(mount_error);
  }
}

// A socket that sends nothing but what the test tells it to.
class Knocker {
 public:
  Knocker() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A port that is free, for somebody else to listen at.
    const int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(other, generic(), size), 0);
    EXPECT_EQ(getsockname(other, reinterpret_cast<sockaddr*>(&address_), &size), 0);
    close(other);
  }
  ~Knocker() { close(fd_); }
  Knocker(const Knocker&) = delete;
  Knocker& operator=(const Knocker&) = delete;

  [[nodiscard]] int port() const { return ntohs(address_.sin_port); }
  void knock() const { sendto(fd_, "x", 1, 0, generic(), sizeof address_); }

 private:
  [[nodiscard]] const sockaddr* generic() const {
    return reinterpret_cast<const sockaddr*>(&address_);
  }
  const int fd_;
  sockaddr_in address_{};
};

TEST_F(Faults, APipelineThatFailsAmidTheUploadEndsItForBothSides) {
  for (const std::string isolation : kIsolations) {
    SCOPED_TRACE(isolation);
    const Knocker knocker;
    Server server(
        {"--isolation", isolation, "--sandbox-network"},
        "fakesink async=false udpsrc address=127.0.0.1 port=" + std::to_string(knocker.port()) +
            " ! identity error-after=1 ! fakesink async=false");
    Network network(server);
    const auto sender = start_send(network.url(), "large.bin");
    ASSERT_NO_FATAL_FAILURE(wait_position(*sender, 4 * kMiB)) << server.process().errors();
    // Its second packet is an error of the pipeline's.
    std::optional<int> status;
    EXPECT_TRUE(eventually([&] {
      knocker.knock();
      status = sender->wait_for_exit(std::chrono::milliseconds(100));
      return status.has_value();
    }));
    EXPECT_EQ(status, 1);
    const Event end = server.wait_for_end(1);
    EXPECT_EQ(end.code, "processing-failed");
    EXPECT_LT(end.bytes, static_cast<std::int64_t>(kLargeFile));
    EXPECT_EQ(sender->errors(), "webrtc-upload send: " + end.code + ": " + end.message + "\n");
  }
}

// Only the signalling gets through: the server notices by `--idle-timeout`, and the client asks it.
TEST_F(Faults, BothSidesAreToldWhenPacketsNoLongerGetThrough) {
  Server server({"--idle-timeout", "3"}, kSwallow);
  Network network(server);
  const auto sender = start_send(network.url(), "large.bin");
  ASSERT_NO_FATAL_FAILURE(wait_position(*sender, 4 * kMiB));
  network.cut_packets();
  EXPECT_EQ(sender->wait_for_exit(), 1);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.code, "idle-timeout");
  EXPECT_EQ(sender->errors(), "webrtc-upload send: " + end.code + ": " + end.message + "\n");
}

// Likewise without the signalling: the client gives up when ICE does.
TEST_F(Faults, BothSidesAreToldWhenNothingGetsThrough) {
  // With libnice 0.1.21, and what `send` waits for beside it. The machine may be slow.
  constexpr seconds kIce{50 + 7};
  constexpr seconds kSlack{20};
  const Event end = cut_off()->server.wait_for_end(1);
  EXPECT_EQ(end.code, "idle-timeout") << end.message;
  EXPECT_EQ(cut_off()->sender->wait_for_exit(kIce + kSlack), 1);
  EXPECT_THAT(cut_off()->sender->errors(), AnyOf(HasSubstr("connection to the peer was lost"),
                                                 HasSubstr("the connection failed")));
  expect_upload_works(cut_off()->server);
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  // What is left of sessions is looked for from outside; a tracer that keeps a record of objects
  // would blur that.
  unsetenv("GST_TRACERS");
  gst_init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
