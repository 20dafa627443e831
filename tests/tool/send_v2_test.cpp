// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload send` in wire format v2, and how it finds out whether the server speaks it.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "tool/end_to_end.h"
#include "tool/hook_server.h"
#include "tool/network.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kDoneInV1 = "done: the server has analysed ";
constexpr const char* kDoneInV2 = "done: verified, sha256 ";

// What sha256sum says of it.
std::string sum_of(const std::string& path) {
  Process process({"/usr/bin/sha256sum", path});
  EXPECT_EQ(process.wait_for_exit(), 0) << process.errors();
  return process.lines().at(0).substr(0, 64);
}

// With a file as standard input, which `redirection` says.
std::unique_ptr<Process> send_input(const std::string& url, const std::string& redirection,
                                    const std::string& options = "") {
  return std::make_unique<Process>(std::vector<std::string>{
      "/bin/sh", "-c",
      "exec " + program() + " send - --to " + url + " " + options + " " + redirection});
}

Outcome send_to(const std::string& url, const std::string& file,
                std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"send", file, "--to", url});
  return run(more);
}

void expect_complaint(const Outcome& outcome, const std::string& says) {
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.errors, AllOf(StartsWith("webrtc-upload send: "), HasSubstr(says)));
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
}

bool asks_about_upload(const HookQuestion& question) {
  return question.body.find(R"("point":"upload")") != std::string::npos;
}

HookReply not_found() { return {.status = 404, .body = R"({"message":"Nothing."})"}; }

class SendV2 : public EndToEnd {};

TEST_F(SendV2, IsTheDefaultAndSaysTheSum) {
  Server server;
  const Outcome sent = send(server, file("video.mp4"));
  expect_success(sent);
  EXPECT_EQ(sent.errors, "");
  EXPECT_THAT(sent.output, EndsWith(kDoneInV2 + sum_of(file("video.mp4")) + ", " +
                                    std::to_string(kFrames) + " frames\n"));
  EXPECT_THAT(sent.output, HasSubstr("100 %"));
  // A system may know no types.
  const std::string name = R"("name":"video.mp4",)";
  EXPECT_THAT(server.wait_for_end(1).text,
              AnyOf(HasSubstr(name + R"("content_type":"video/mp4",)"),
                    HasSubstr(name + R"("content_type":"",)"), HasSubstr(name + R"("sha256")")));
}

TEST_F(SendV2, IsNotSpokenToAServerOfV1) {
  Server server({"--protocols", "v1"}, kSwallow);
  const Outcome sent = send(server, file("small.bin"));
  expect_success(sent);
  EXPECT_THAT(sent.output, HasSubstr(kDoneInV1));
  expect_complaint(send(server, file("small.bin"), {"--protocol", "v2"}),
                   "the server does not speak wire format v2");
  expect_complaint(outcome_of(*send_input(server.url(), "< " + file("small.bin"))),
                   "the server speaks wire format v1 only");
}

TEST_F(SendV2, IsNotSpokenIfV1IsWanted) {
  Server server({}, kSwallow);
  Network network(server);
  const Outcome sent = send_to(network.url(), file("small.bin"), {"--protocol", "v1"});
  expect_success(sent);
  EXPECT_THAT(sent.output, HasSubstr(kDoneInV1));
  EXPECT_EQ(network.requests().at(0), "POST /initialise_webrtc_worker");
  expect_success(send(server, file("small.bin"), {"--protocol", "v2"}));
}

TEST_F(SendV2, IsNotSpokenToAServerThatDoesNotKnowTheQuestion) {
  Server server({}, kSwallow);
  Network old(server, [](const HookQuestion& question) -> std::optional<HookReply> {
    if (question.path == "/limits") return not_found();
    return std::nullopt;
  });
  const Outcome sent = send_to(old.url(), file("small.bin"));
  expect_success(sent);
  EXPECT_THAT(sent.output, HasSubstr(kDoneInV1));
  expect_complaint(send_to(old.url(), file("small.bin"), {"--protocol", "v2"}),
                   "the server does not speak wire format v2");
}

// Whatever it says, it is said to speak v1, and nothing worse comes of it.
TEST_F(SendV2, IsNotSpokenToAServerThatSaysNonsense) {
  Server server({}, kSwallow);
  HookReply limits{.status = 200};
  Network liar(server, [&](const HookQuestion& question) -> std::optional<HookReply> {
    if (question.path == "/limits") return limits;
    return std::nullopt;
  });
  const std::string large = "{\"protocols\":[\"v2\"],\"x\":\"" + std::string(2 << 20, 'x') + "\"}";
  for (const std::string& body :
       {std::string("null"), large, std::string(R"({"protocols":[2,["v2"]]})"),
        std::string(100'000, '[')}) {
    limits.body = body;
    const Outcome sent = send_to(liar.url(), file("one.mp4"));
    EXPECT_EQ(sent.status, 0) << body.substr(0, 100) << sent.errors;
    EXPECT_THAT(sent.output, HasSubstr(kDoneInV1)) << body.substr(0, 100);
  }
  limits.body = R"({"protocols":["v3"]})";
  expect_complaint(send_to(liar.url(), file("one.mp4")),
                   "the server speaks neither wire format v1 nor v2");
}

// It leaves the channel alone.
TEST_F(SendV2, IsSpokenInVainToAServerThatLies) {
  Server server({"--protocols", "v1", "--connect-timeout", "1"}, kSwallow);
  Network liar(server, [](const HookQuestion& question) -> std::optional<HookReply> {
    if (question.path == "/limits") return HookReply{200, R"({"protocols":["v2"]})", {}, false};
    return std::nullopt;
  });
  expect_complaint(send_to(liar.url(), file("one.mp4")), "connect-timeout: ");
}

TEST_F(SendV2, AsksWithItsKeyAndOnlyTheServer) {
  Server server({"--api-key", "sesame"}, kSwallow);
  std::string shown;
  Network network(server, [&](const HookQuestion& question) -> std::optional<HookReply> {
    if (question.path == "/limits") shown = question.authorization.value_or("");
    return std::nullopt;
  });
  expect_success(send_to(network.url(), file("small.bin"), {"--api-key", "sesame"}));
  EXPECT_EQ(shown, "Bearer sesame");
  expect_complaint(send_to(network.url(), file("small.bin"), {"--api-key", "other"}), "401");
}

TEST_F(SendV2, TakesStandardInput) {
  Server server;
  for (const std::string& command :
       {"cat " + file("video.mp4") + " | " + program() + " send - --to " + server.url(),
        program() + " send - --to " + server.url() + " < " + file("video.mp4")}) {
    Process sender({"/bin/sh", "-c", command});
    const Outcome sent = outcome_of(sender);
    expect_success(sent);
    EXPECT_THAT(sent.output, EndsWith(kDoneInV2 + sum_of(file("video.mp4")) + ", " +
                                      std::to_string(kFrames) + " frames\n"));
    EXPECT_THAT(sent.output, Not(HasSubstr("%")));
  }
}

TEST_F(SendV2, TakesNoEmptyInput) {
  Server server({}, kSwallow);
  Process sender({"/bin/sh", "-c", "true | " + program() + " send - --to " + server.url()});
  expect_complaint(outcome_of(sender), "standard input is empty");
  expect_complaint(outcome_of(*send_input(server.url(), "< /dev/null")), "standard input is empty");
}

// An input on which nothing comes, and whose other end is not closed.
class SilentInput {
 public:
  explicit SilentInput(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
    fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  }
  ~SilentInput() {
    close(fd_);
    unlink(path_.c_str());
  }
  SilentInput(const SilentInput&) = delete;
  SilentInput& operator=(const SilentInput&) = delete;

  void say(const std::string& text) const {
    EXPECT_EQ(write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

TEST_F(SendV2, EndsWhileItWaitsForStandardInput) {
  std::atomic<bool> begun = false;
  HookServer hook([&](const HookQuestion& question) {
    if (asks_about_upload(question)) begun = true;
    return HookReply{.status = 204};
  });
  Server server({"--auth-hook", hook.url()}, kSwallow);
  const SilentInput input(file("input"));
  const auto sender = send_input(server.url(), "< " + file("input"));
  input.say("something");
  // Whoever is interrupted earlier has told the server nothing that it could take back.
  ASSERT_TRUE(eventually([&] { return begun.load(); })) << sender->errors();
  sender->signal(SIGINT);
  const Outcome interrupted = outcome_of(*sender);
  EXPECT_EQ(interrupted.status, 130);
  EXPECT_EQ(interrupted.errors, "webrtc-upload send: interrupted\n");
  EXPECT_EQ(server.wait_for_end(1).code, "cancelled");
}

TEST_F(SendV2, FailsWhileItWaitsForStandardInput) {
  Server server({"--idle-timeout", "1"}, kSwallow);
  const SilentInput input(file("input"));
  const auto sender = send_input(server.url(), "< " + file("input"));
  input.say("something");
  expect_complaint(outcome_of(*sender), "idle-timeout: ");
}

// With either version.
TEST_F(SendV2, SaysTheCodeOfTheServersError) {
  Server server({"--max-size", "1000000"}, kSwallow);
  HookServer hook([](const HookQuestion& question) {
    const bool asks = asks_about_upload(question);
    return HookReply{.status = asks ? 402u : 204u,
                     .body = asks ? R"({"message":"You have had enough."})" : ""};
  });
  Server strict({"--auth-hook", hook.url()}, kSwallow);
  Server decoder;
  for (const char* version : {"v1", "v2"}) {
    const std::vector<std::string> options = {"--protocol", version};
    expect_complaint(send(server, file("big.bin"), options), "send: too-large: ");
    expect_complaint(send(strict, file("small.bin"), options), "send: quota-exceeded: ");
    expect_complaint(send(strict, file("small.bin"), options), "You have had enough");
    expect_complaint(send(decoder, file("text.mp4"), options), "send: not-a-video: ");
  }
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
