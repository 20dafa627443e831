// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the sandbox is made of, part by part: what is said of it, which files a pipeline names, and
// what Landlock does in a process of the test's own.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "glib/glib_ptr.h"
#include "tool/sandbox/sandbox.h"
#include "tool/sandbox/sandbox_breach.h"
#include "tool/sandbox/sandbox_landlock.h"
#include "tool/sandbox/sandbox_limits.h"
#include "tool/sandbox/sandbox_paths.h"
#include "tool/sandbox/sandbox_ports.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr SandboxParts kAll{.landlock = 7, .seccomp = true, .root = false};

SandboxConfig config_of(SandboxMode mode) {
  SandboxConfig config;
  config.mode = mode;
  return config;
}

TEST(SandboxParts, StrictNamesThePartThatIsMissing) {
  const SandboxConfig strict = config_of(SandboxMode::kStrict);
  EXPECT_EQ(missing_for_strict(kAll, strict, true), "");
  EXPECT_THAT(missing_for_strict(kAll, strict, false), HasSubstr("--isolation none"));
  SandboxParts parts = kAll;
  parts.landlock = 0;
  EXPECT_THAT(missing_for_strict(parts, strict, true), HasSubstr("does not have Landlock"));
  parts.landlock = 3;
  EXPECT_THAT(missing_for_strict(parts, strict, true), HasSubstr("no rules for TCP (version 3"));
  SandboxConfig network = strict;
  network.network = true;
  EXPECT_EQ(missing_for_strict(parts, network, true), "");
  parts.landlock = 4;
  EXPECT_EQ(missing_for_strict(parts, strict, true), "");
  parts.seccomp = false;
  EXPECT_THAT(missing_for_strict(parts, strict, true), HasSubstr("seccomp"));
  parts = kAll;
  parts.root = true;
  EXPECT_THAT(missing_for_strict(parts, strict, true), HasSubstr("--session-user"));
  SandboxConfig user = strict;
  user.user = "nobody";
  EXPECT_EQ(missing_for_strict(parts, user, true), "");
}

TEST(SandboxParts, TheLogSaysWhatHoldsAndWhatDoesNot) {
  const SandboxConfig config = config_of(SandboxMode::kAuto);
  EXPECT_THAT(describe_sandbox(kAll, config, true),
              AllOf(HasSubstr("Landlock (version 7: files, TCP, signals)"), HasSubstr("seccomp"),
                    Not(HasSubstr("it has not"))));
  EXPECT_THAT(
      describe_sandbox({.landlock = 1, .seccomp = true}, config, true),
      AllOf(HasSubstr("Landlock (version 1: files)"), HasSubstr("it has not: Landlock for TCP")));
  EXPECT_THAT(describe_sandbox({}, config, true),
              AllOf(HasSubstr("it has not: Landlock"), HasSubstr("seccomp")));
  EXPECT_THAT(describe_sandbox({.landlock = 7, .seccomp = true, .root = true}, config, true),
              HasSubstr("--session-user"));
  EXPECT_EQ(describe_sandbox(kAll, config_of(SandboxMode::kOff), true), "sandbox: off");
  EXPECT_THAT(describe_sandbox(kAll, config, false), HasSubstr("sandbox: none"));
}

TEST(SandboxParts, StatusesAndBreachesBelongTogether) {
  for (const auto breach : {Breach::kOther, Breach::kProgram, Breach::kProcess, Breach::kPlace,
                            Breach::kKernel, Breach::kSocket, Breach::kFile}) {
    EXPECT_EQ(breach_of_status(breach_status(breach)), breach);
  }
  for (const int status : {0, 1, 2, 99, 107, 127, 139, 255}) {
    EXPECT_FALSE(breach_of_status(status)) << status;
  }
}

TEST(SandboxLimits, FollowFromTheSession) {
  SessionConfig config;
  config.max_size = 100 << 20;
  EXPECT_FALSE(most_processor_time(config, 4));
  config.processing_timeout = std::chrono::milliseconds(10500);
  // What two processors do in that time and in the ten minutes around it, and the upload's.
  EXPECT_EQ(most_processor_time(config, 2), (11U + 600) * 2 + 100);
  EXPECT_EQ(most_processor_time(config, 0), (11U + 600) + 100);
  EXPECT_EQ(largest_file(config, 5), (100U << 20) + 5 + (64U << 20));
  config.sandbox.paths.write = {"/somewhere"};
  EXPECT_FALSE(largest_file(config, 5));
}

TEST(SandboxPorts, AreThoseOfIce) {
  SessionConfig config;
  const auto everywhere = ports_of_ice(config);
  EXPECT_THAT(everywhere.bind, ElementsAre(0));
  EXPECT_THAT(everywhere.connect, IsEmpty());
  config.ice_servers = {
      {{"stun:198.51.100.1:3478"}, "", ""},
      {{"turn:[2001:db8::1]:3479?transport=udp", "turn:relay.example:3480?transport=tcp",
        "turns:relay.example:5349?transport=tcp"},
       "user",
       "password"}};
  EXPECT_THAT(ports_of_ice(config).connect, UnorderedElementsAre(3480, 5349, 53));
  // ICE does not use TCP there.
  SessionConfig range;
  range.ice_network.udp_ports = UdpPortRange{50000, 50100};
  EXPECT_THAT(ports_of_ice(range).bind, IsEmpty());
  SessionConfig announced;
  announced.ice_network.announced_addresses = {"203.0.113.7"};
  EXPECT_THAT(ports_of_ice(announced).bind, IsEmpty());
  SessionConfig local;
  local.ice_addresses = ice_addresses_for("127.0.0.1");
  EXPECT_THAT(ports_of_ice(local).bind, IsEmpty());
}

class SandboxPathsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-paths-XXXXXX";
    directory_ = mkdtemp(name);
    for (const char* file : {"model", "model.info", "other"}) {
      std::ofstream(directory_ + "/" + file) << file;
    }
  }
  void TearDown() override { fs::remove_all(directory_); }

  static SandboxPaths named_in(const std::string& description) {
    GError* error = nullptr;
    GstElement* element = gst_parse_launch(description.c_str(), &error);
    const GstPtr<GstElement> pipeline(element ? GST_ELEMENT(gst_object_ref_sink(element))
                                              : nullptr);
    EXPECT_FALSE(error) << description;
    return pipeline ? paths_named_in(pipeline.get()) : SandboxPaths{};
  }
  std::string directory_;
};

TEST_F(SandboxPathsTest, ThePipelinesOwnAreFound) {
  // A file, and what belongs to it; also deep inside.
  const SandboxPaths model =
      named_in("fakesrc ! fakesink ( multifilesrc location=" + directory_ + "/model ! fakesink )");
  EXPECT_THAT(model.read, UnorderedElementsAre(directory_ + "/model", directory_ + "/model.info"));
  EXPECT_THAT(model.write, IsEmpty());
  // A sink's, whether it is there or not.
  for (const char* file : {"/other", "/new", "/part%d"}) {
    const SandboxPaths sink = named_in("fakesrc ! multifilesink location=" + directory_ + file);
    EXPECT_THAT(sink.write, UnorderedElementsAre(directory_)) << file;
    EXPECT_THAT(sink.read, IsEmpty()) << file;
  }
  // One that another element will make.
  const SandboxPaths kept =
      named_in("fakesrc ! queue2 temp-template=" + directory_ + "/kept-XXXXXX ! fakesink");
  EXPECT_THAT(kept.write, UnorderedElementsAre(directory_));
}

TEST_F(SandboxPathsTest, NothingElseIs) {
  for (const std::string description :
       {"fakesrc name=model ! fakesink", "fakesrc ! fakesink",
        "fakesrc ! filesink location=/dev/null", "fakesrc ! multifilesink location=/etc/new%d",
        "fakesrc ! multifilesink location=/new%d",
        "fakesrc ! multifilesink location=/not/there/new%d",
        "fakesrc ! capsfilter caps=video/x-raw ! fakesink"}) {
    const SandboxPaths paths = named_in(description);
    EXPECT_THAT(paths.read, IsEmpty()) << description;
    EXPECT_THAT(paths.write, IsEmpty()) << description;
  }
}

// --- Landlock, in processes of their own ---

constexpr int kOpened = 1;
constexpr int kWrote = 2;
constexpr int kConnectedAllowed = 4;
constexpr int kConnectedOther = 8;
constexpr int kBoundAny = 16;
constexpr int kBoundChosen = 32;
constexpr int kOpenedOther = 64;

// The exit status of `function` in a child process.
int in_child(const std::function<int()>& function) {
  const pid_t child = fork();
  if (child == 0) _exit(function());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* place = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, place, size), 0);
    EXPECT_EQ(listen(fd_, 4), 0);
    EXPECT_EQ(getsockname(fd_, place, &size), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port = 0;

 private:
  int fd_;
};

bool can_connect(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool can_bind(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool can_open(const std::string& path, int flags) { return open(path.c_str(), flags, 0600) >= 0; }

class LandlockTest : public SandboxPathsTest {
 protected:
  void SetUp() override {
    if (landlock_version() < kLandlockForFiles) GTEST_SKIP() << "this kernel has no Landlock";
    SandboxPathsTest::SetUp();
  }

  int probe(const SandboxPaths& paths, const std::optional<LandlockPorts>& ports) const {
    // Of a listener that is gone.
    const std::uint16_t free_port = Listener().port;
    return in_child([&] {
      std::string problem;
      const auto landlock = Landlock::prepare(paths, ports, problem);
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      if (!landlock || !landlock->enter().empty()) return 255;
      int result = 0;
      if (can_open(directory_ + "/model", O_RDONLY)) result |= kOpened;
      if (can_open(directory_ + "/other", O_RDONLY)) result |= kOpenedOther;
      if (can_open(directory_ + "/new", O_WRONLY | O_CREAT)) result |= kWrote;
      if (can_connect(allowed_.port)) result |= kConnectedAllowed;
      if (can_connect(other_.port)) result |= kConnectedOther;
      if (can_bind(0)) result |= kBoundAny;
      if (can_bind(free_port)) result |= kBoundChosen;
      return result;
    });
  }

  const Listener allowed_;
  const Listener other_;
};

TEST_F(LandlockTest, OpensWhatItIsToldToAndNothingElse) {
  EXPECT_EQ(probe({}, std::nullopt) & (kOpened | kOpenedOther | kWrote), 0);
  EXPECT_EQ(
      probe({.read = {directory_ + "/model"}}, std::nullopt) & (kOpened | kOpenedOther | kWrote),
      kOpened);
  EXPECT_EQ(probe({.read = {directory_}}, std::nullopt) & (kOpened | kOpenedOther | kWrote),
            kOpened | kOpenedOther);
  EXPECT_EQ(probe({.write = {directory_}}, std::nullopt) & (kOpened | kOpenedOther | kWrote),
            kOpened | kOpenedOther | kWrote);
  // What is not there is no mistake.
  EXPECT_EQ(
      probe({.read = {directory_ + "/missing", directory_ + "/model"}}, std::nullopt) & kOpened,
      kOpened);
}

TEST_F(LandlockTest, ConnectsWhereItIsToldToAndNowhereElse) {
  if (landlock_version() < kLandlockForTcp) GTEST_SKIP() << "this kernel's Landlock knows no TCP";
  constexpr int kTcp = kConnectedAllowed | kConnectedOther | kBoundAny | kBoundChosen;
  EXPECT_EQ(probe({}, std::nullopt) & kTcp, kTcp);
  EXPECT_EQ(probe({}, LandlockPorts{}) & kTcp, 0);
  EXPECT_EQ(probe({}, LandlockPorts{.bind = {}, .connect = {allowed_.port}}) & kTcp,
            kConnectedAllowed);
  EXPECT_EQ(probe({}, LandlockPorts{.bind = {0}, .connect = {}}) & kTcp, kBoundAny);
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
