// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The wall around a session's process, met by an element that tries what it may not
// (tests/support/sandbox_prober.cpp): each time that session ends as documented, and its neighbour
// goes on.

#include "tool/sandbox/sandbox.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <pwd.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "core/wire_v2.h"
#include "process.h"
#include "server.h"
#include "support/run_to_end.h"
#include "tool/common/session_types.h"
#include "tool/sandbox/sandbox_landlock.h"
#include "upload/v2_client.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::Event;
using test::eventually;
using test::kDecode;
using test::Process;
using test::program;
using test::Server;
using test::WorkerClient;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kFrames = 40;

// Listens on loopback, and knows whether anybody came.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* place = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, place, size), 0);
    EXPECT_EQ(listen(fd_, 4), 0);
    EXPECT_EQ(getsockname(fd_, place, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(port_); }
  [[nodiscard]] bool was_reached() const {
    const int connection = accept(fd_, nullptr, nullptr);
    if (connection >= 0) close(connection);
    return connection >= 0;
  }

 private:
  int fd_;
  int port_ = 0;
};

// By default frames that are late, as on a busy machine, are left out.
WorkerRequest every_frame() {
  WorkerRequest request;
  request.realtime = false;
  return request;
}

class SandboxTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    // For a session of another user.
    fs::permissions(directory(),
                    fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    ASSERT_TRUE(test::run_to_end(
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,framerate=25/1,width=320,height=240 ! x264enc speed-preset=ultrafast ! "
        "mp4mux ! filesink location=" +
        video()));
    std::ofstream(secret()) << "nobody's business\n";
  }
  static void TearDownTestSuite() { fs::remove_all(directory()); }

  void SetUp() override {
    const SandboxParts parts = sandbox_parts();
    if (parts.landlock < kLandlockForTcp || !parts.seccomp) {
      GTEST_SKIP() << "this kernel has not all of it: Landlock " << parts.landlock << ", seccomp "
                   << parts.seccomp;
    }
  }

  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string video() { return directory() + "/video.mp4"; }
  static std::string secret() { return directory() + "/secret"; }

  static std::string prober(const std::string& what, const std::string& argument = "") {
    return "testsandboxprober what=" + what + (argument.empty() ? "" : " argument=" + argument) +
           " ! fakesink";
  }
  // What `send` makes of it.
  struct Outcome {
    int status = -1;
    std::string errors;
  };
  static Outcome send(const Server& server, const std::string& workflow = "") {
    std::vector<std::string> arguments = {program(), "send", video(), "--to", server.url()};
    if (!workflow.empty()) arguments.insert(arguments.end(), {"--workflow", workflow});
    Process process(arguments);
    const int status = process.wait_for_exit().value_or(-1000);
    return {status, process.errors()};
  }
  // Its log is read by another thread than its events are.
  static void expect_logged(Server& server, const std::string& text) {
    EXPECT_TRUE(eventually([&] {
      return server.process().errors().find(text) != std::string::npos;
    })) << text
        << " is not in: " << server.process().errors();
  }
  // The log has what an element says; the client is told less.
  static bool ends_with_log(Server& server, const std::string& workflow, const std::string& text) {
    const Outcome outcome = send(server, workflow);
    EXPECT_EQ(outcome.status, 1) << workflow;
    const bool found =
        eventually([&] { return server.process().errors().find(text) != std::string::npos; });
    EXPECT_TRUE(found) << workflow << ": " << server.process().errors();
    return found;
  }
  static std::string run(std::vector<std::string> arguments, int expected) {
    arguments.insert(arguments.begin(), {program(), "serve", "--port", "0", "--pipeline", kDecode});
    Process process(arguments);
    EXPECT_EQ(process.wait_for_exit(), expected) << process.errors();
    return process.errors();
  }
};

struct Attempt {
  const char* what;
  const char* argument;
  const char* message;  // A regular expression.
  const char* logged;
};
void PrintTo(const Attempt& attempt, std::ostream* out) { *out << attempt.what; }

class SandboxBreach : public SandboxTest, public ::testing::WithParamInterface<Attempt> {};
INSTANTIATE_TEST_SUITE_P(
    All, SandboxBreach,
    ::testing::Values(
        Attempt{"read", "/etc/hostname", "tried to open a file", "/etc/hostname"},
        Attempt{"connect", "LISTENER", "tried to open a network connection", "refused socket"},
        Attempt{"datagram", "LISTENER", "tried to open a network connection", "refused socket"},
        // glibc 2.41's fork() blocks all signals (2.36's did not), so that the process cannot say
        // what it was.
        Attempt{"program", "", "tried to start a program|made a system call that it may not",
                "refused"},
        Attempt{"exec", "", "tried to start a program", "refused execve"},
        Attempt{"ptrace", "", "tried to reach another process", "refused ptrace"},
        Attempt{"signal", "", "tried to reach another process", "refused kill"},
        Attempt{"thread-signal", "", "tried to reach another process", "refused tkill"},
        Attempt{"namespace", "", "tried to change its namespaces", "refused unshare"},
        Attempt{"mount", "", "tried to change its namespaces", "refused mount"},
        Attempt{"kernel", "", "asked the kernel", "refused keyctl"}),
    [](const auto& param) {
      std::string name = param.param.what;
      std::erase(name, '-');
      return name;
    });

TEST_P(SandboxBreach, EndsThatSessionAndNoOther) {
  const Attempt& attempt = GetParam();
  const Listener listener;
  const std::string argument =
      attempt.argument == std::string("LISTENER") ? listener.port() : attempt.argument;
  // The neighbour says nothing until the other session has ended, however slow this machine is.
  Server server({"--idle-timeout", "600", "--pipeline", "bad=" + prober(attempt.what, argument)});
  WorkerClient neighbour;
  ASSERT_EQ(neighbour.connect(server.port(), every_frame()), 200);
  neighbour.upload_part(video(), 1);

  const Outcome outcome = send(server, "bad");
  const Event end = server.wait_for_end(2);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "sandbox-violation");
  EXPECT_THAT(end.message, ContainsRegex(attempt.message));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.errors, ContainsRegex(attempt.message));
  // What a client reads has none of the server's paths; the log has.
  EXPECT_THAT(end.message, Not(HasSubstr("/etc")));
  expect_logged(server, attempt.logged);
  EXPECT_FALSE(listener.was_reached());

  neighbour.upload(video());
  EXPECT_TRUE(neighbour.wait_end());
  const Event good = server.wait_for_end(1);
  EXPECT_EQ(good.status, "done") << good.text;
  EXPECT_EQ(good.frames, kFrames);
}

// It may have further connections, and so new sockets, until all its bytes are there; what looks at
// them may not.
TEST_F(SandboxTest, AnUploadInV2EndsWithTheSameWalls) {
  const Listener listener;
  Server server({"--pipeline", "socket=" + prober("connect", listener.port()), "--pipeline",
                 "file=" + prober("read", "/etc/hostname")});
  const test::Bytes file = test::random_bytes(300'000);
  int session = 0;
  for (const char* pipeline : {"socket", "file"}) {
    SCOPED_TRACE(pipeline);
    WorkerRequest request = every_frame();
    request.workflow_id = pipeline;
    WorkerClient first(kV2Protocol);
    ASSERT_EQ(first.connect(server.port(), request), 200);
    ASSERT_TRUE(first.channel().observer->wait_open());
    test::V2Client client(file, {.first = file.size() / 2});
    client.add(first.channel());
    ASSERT_TRUE(client.run_until_stored(file.size() / 2));
    WorkerClient second(kV2Protocol);
    ASSERT_EQ(second.join(server.port(), first.location()), 201) << second.reply();
    ASSERT_TRUE(second.channel().observer->wait_open());
    client.add(second.channel());
    client.send_all();
    ASSERT_TRUE(client.run_to_end());
    const Event end = server.wait_for_end(++session);
    EXPECT_EQ(end.code, "sandbox-violation") << end.text;
  }
  EXPECT_FALSE(listener.was_reached());
}

// These are refused, and that is all: libraries try them in good faith.
TEST_F(SandboxTest, WhatIsOnlyRefusedIsAnErrorOfTheElement) {
  const std::string file = directory() + "/new";
  Server server({"--pipeline", "write=" + prober("write", file), "--pipeline",
                 "chmod=" + prober("chmod", secret()), "--pipeline",
                 "local=" + prober("local-socket"), "--pipeline",
                 // NSS does, for a video track.
                 "users=" + prober("read", "/etc/passwd"), "--pipeline",
                 "limits=" + prober("limits"), "--pipeline",
                 // libnice does, for a check that comes late.
                 "ice=" + prober("late-ice", "9")});
  EXPECT_TRUE(ends_with_log(server, "write", "write: Permission denied"));
  EXPECT_FALSE(fs::exists(file));
  const auto before = fs::status(secret()).permissions();
  EXPECT_TRUE(ends_with_log(server, "chmod", "chmod: Operation not permitted"));
  EXPECT_TRUE(ends_with_log(server, "limits", "limits: Operation not permitted"));
  EXPECT_EQ(fs::status(secret()).permissions(), before);
  EXPECT_TRUE(ends_with_log(server, "local", "local-socket: Permission denied"));
  EXPECT_EQ(server.wait_for_end(3).code, "processing-failed");
  EXPECT_TRUE(ends_with_log(server, "users", "read: Permission denied"));
  EXPECT_EQ(server.wait_for_end(4).code, "processing-failed");
  EXPECT_TRUE(ends_with_log(server, "ice", "late-ice: Permission denied"));
  EXPECT_EQ(server.wait_for_end(5).code, "processing-failed");
}

// The same elements without a wall, so that it is the wall which stops them.
TEST_F(SandboxTest, OffStopsNothing) {
  const Listener listener;
  Server server({"--sandbox", "off", "--pipeline", "read=" + prober("read", "/etc/hostname"),
                 "--pipeline", "connect=" + prober("connect", listener.port()), "--pipeline",
                 "program=" + prober("program")});
  expect_logged(server, "sandbox: off");
  for (const char* what : {"read", "connect", "program"}) {
    EXPECT_TRUE(ends_with_log(server, what, std::string(what) + ": it was possible"));
  }
  EXPECT_TRUE(listener.was_reached());
}

TEST_F(SandboxTest, TheOperatorsFilesAndNetworkAreLeftOpen) {
  const std::string file = directory() + "/new";
  {
    Server server({"--sandbox-read", secret(), "--pipeline", "read=" + prober("read", secret())});
    EXPECT_TRUE(ends_with_log(server, "read", "read: it was possible"));
  }
  {
    Server server({"--sandbox-write", directory(), "--pipeline", "write=" + prober("write", file)});
    EXPECT_TRUE(ends_with_log(server, "write", "write: it was possible"));
    EXPECT_TRUE(fs::remove(file));
  }
  const Listener listener;
  Server server(
      {"--sandbox-network", "--pipeline", "connect=" + prober("connect", listener.port())});
  EXPECT_TRUE(ends_with_log(server, "connect", "connect: it was possible"));
  EXPECT_TRUE(listener.was_reached());
}

// What the pipeline names needs no option.
TEST_F(SandboxTest, ThePipelinesOwnFilesAreOpen) {
  const std::string copy = directory() + "/copy.mp4";
  const std::string cascade = directory() + "/haarcascade_fullbody.xml";
  fs::copy_file("/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml", cascade,
                fs::copy_options::overwrite_existing);
  Server server({"--pipeline", "copy=filesink location=" + copy, "--pipeline",
                 "people=decodebin ! videoconvert ! facedetect display=false profile=" + cascade +
                     " ! fakesink"});
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = send(server, "copy");
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_EQ(fs::file_size(copy), fs::file_size(video()));
    // The second time the file is there.
    fs::resize_file(copy, 1);
  }
  const Outcome outcome = send(server, "people");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(server.wait_for_end(3).frames, kFrames);
}

TEST_F(SandboxTest, WhatHoldsIsSaidAtTheStart) {
  Server server;
  Server alone({"--isolation", "none"});
  expect_logged(server, "sandbox: each session has");
  EXPECT_THAT(server.process().errors(),
              AllOf(HasSubstr("Landlock (version "), HasSubstr("seccomp")));
  expect_logged(alone, "sandbox: none");
}

TEST_F(SandboxTest, StrictDoesNotStartWithoutAPart) {
  EXPECT_THAT(run({"--sandbox", "strict", "--isolation", "none"}, 2),
              HasSubstr("no process to shut in with --isolation none"));
  EXPECT_THAT(run({"--sandbox", "loose"}, 2), HasSubstr("\"loose\""));
  EXPECT_THAT(run({"--sandbox-read", "/not/there"}, 2), HasSubstr("\"/not/there\""));
  EXPECT_THAT(run({"--session-user", "nobody", "--isolation", "none"}, 2),
              HasSubstr("--isolation process"));
  if (geteuid() != 0) {
    EXPECT_THAT(run({"--session-user", "nobody"}, 2), HasSubstr("root"));
    return;
  }
  EXPECT_THAT(run({"--sandbox", "strict"}, 2), HasSubstr("--session-user"));
  EXPECT_THAT(run({"--session-user", "no such user"}, 2), HasSubstr("no such user"));
  EXPECT_THAT(run({"--session-user", "root"}, 2), HasSubstr("is root"));
}

std::string status_of(pid_t pid, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(field + ":")) continue;
    std::istringstream words(line.substr(field.size() + 1));
    std::string text;
    for (std::string word; words >> word;) text += (text.empty() ? "" : " ") + word;
    return text;
  }
  return "";
}

std::string limit_of(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/limits");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    std::string soft;
    words >> soft;
    return soft;
  }
  return "";
}

// As root, which is the only one who can: with everything, and as somebody else.
TEST_F(SandboxTest, StrictAsAnotherUserHasNothingOfRoots) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const passwd* nobody = getpwnam("nobody");
  ASSERT_TRUE(nobody);
  Server server({"--sandbox", "strict", "--session-user", "nobody", "--max-size", "1000000",
                 "--max-processing-timeout", "60"});
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), every_frame()), 200);
  client.upload_part(video(), 1);
  const auto children = test::children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1U);
  const pid_t session = *children.begin();
  const std::string uid = std::to_string(nobody->pw_uid);
  EXPECT_EQ(status_of(session, "Uid"), uid + " " + uid + " " + uid + " " + uid);
  EXPECT_EQ(status_of(session, "Groups"), "");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_EQ(status_of(session, set), "0000000000000000") << set;
  }
  EXPECT_EQ(status_of(session, "NoNewPrivs"), "1");
  EXPECT_EQ(status_of(session, "Seccomp"), "2");
  // The second one comes before the first byte is stored.
  EXPECT_TRUE(eventually([&] { return status_of(session, "Seccomp_filters") == "2"; }));
  EXPECT_EQ(limit_of(session, "Max file size"), std::to_string(1000000 + (64 << 20)));
  EXPECT_NE(limit_of(session, "Max cpu time"), "unlimited");
  EXPECT_EQ(limit_of(session, "Max core file size"), "0");
  client.upload(video());
  EXPECT_TRUE(client.wait_end());
  EXPECT_EQ(server.wait_for_end(1).frames, kFrames);
}

// By default root keeps what its files and buffers need, and nothing else.
TEST_F(SandboxTest, OfRootsCapabilitiesFewAreLeft) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has any";
  Server server;
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), every_frame()), 200);
  const pid_t session = *test::children_of(server.process().pid()).begin();
  const auto left = std::stoull(status_of(session, "CapPrm"), nullptr, 16);
  constexpr unsigned long long kDacOverride = 1ULL << 1;
  constexpr unsigned long long kNetAdmin = 1ULL << 12;
  EXPECT_EQ(left & ~(kDacOverride | kNetAdmin), 0U);
  client.upload(video());
  EXPECT_TRUE(client.wait_end());
}

// As its server starts one, with an offer that it refuses. Exit handlers, a sanitizer's among them,
// may do what the filter does not allow.
TEST_F(SandboxTest, AProcessEndsInOrder) {
  SessionConfig config;
  config.id = "refused";
  config.offer_sdp = "v=0";
  config.pipeline = "fakesink";
  config.connect_timeout = std::chrono::seconds(5);
  config.sandbox.mode = SandboxMode::kAuto;
  Process session(
      {"/bin/sh", "-c", "printf '%s\\n' \"$1\" | \"$0\" session", program(), config_line(config)});
  EXPECT_EQ(session.wait_for_exit(), 0) << session.errors();
  EXPECT_THAT(session.lines(), ::testing::ElementsAre(HasSubstr("\"refused\"")));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
