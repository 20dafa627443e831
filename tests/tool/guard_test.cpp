// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads to `webrtc-upload serve` that name files and addresses: every one is refused, with a
// sentence that says nothing of the server, and nothing that it names is opened.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "process.h"
#include "server.h"
#include "support/playlists.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::Event;
using test::OpenWitness;
using test::Playlist;
using test::Process;
using test::Server;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::vector<std::string> kOneOfEach = {"hls_media", "hls_behind_id3", "dash", "smooth",
                                             "m3u",       "uri_list",       "pls"};

class GuardedServer : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-guard-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(directory_); }

  // What `send` says on standard error.
  std::string send(const Server& server, const std::string& content) const {
    const std::string path = directory_ + "/upload";
    std::ofstream(path, std::ios::binary) << content;
    Process sender({test::program(), "send", path, "--to", server.url()});
    EXPECT_EQ(sender.wait_for_exit().value_or(-1), 1);
    return sender.errors();
  }

  void expect_refused(Server& server, int session, const std::string& name) {
    SCOPED_TRACE(name);
    const Playlist playlist = test::playlist(name, witness_);
    const std::string told = send(server, playlist.content);
    const Event end = server.wait_for_end(session);
    EXPECT_EQ(end.status, "failed");
    EXPECT_EQ(end.code, "not-a-video");
    EXPECT_THAT(end.message, AnyOf("this is a playlist, not a video", "this is not a video"));
    EXPECT_EQ(end.frames, 0);
    EXPECT_THAT(told, HasSubstr(end.message));
    EXPECT_THAT(told, Not(HasSubstr(witness_.file())));
    // The session is over, and its process gone or done.
    EXPECT_THAT(witness_.opened(), IsEmpty());
  }

  OpenWitness witness_;
  std::string directory_;
};

// What a program and all that it starts ask the kernel for, of files and of the network: by strace.
class SystemCalls {
 public:
  SystemCalls(pid_t pid, std::string file)
      : file_(std::move(file)),
        strace_({"/usr/bin/strace", "-f", "-qq", "-s", "4096", "-e", "trace=%file,%network", "-o",
                 file_, "-p", std::to_string(pid)}) {
    EXPECT_TRUE(test::eventually([&] { return is_traced(pid); })) << strace_.errors();
  }

  // Up to now; it ends with this.
  std::string stop() {
    strace_.signal(SIGINT);
    strace_.wait_for_exit();
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  // Each thread of it.
  static bool is_traced(pid_t pid) {
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      std::ifstream status(task.path() / "status");
      const std::string text{std::istreambuf_iterator<char>(status), {}};
      if (text.find("TracerPid:\t0\n") != std::string::npos) return false;
    }
    return true;
  }

  const std::string file_;
  Process strace_;
};

// Not even asked for: no file is looked at, no address connected to or sent to. Without the
// sandbox, which would keep it all from being opened as well.
TEST_F(GuardedServer, AsksTheKernelForNothingThatTheyName) {
  const std::vector<std::string> all = test::playlist_names();
  for (const auto& [isolation, names] :
       {std::pair{"process", all}, std::pair{"none", kOneOfEach}}) {
    SCOPED_TRACE(isolation);
    Server server({"--isolation", isolation, "--sandbox", "off"});
    SystemCalls calls(server.process().pid(), directory_ + "/calls");
    int session = 0;
    for (const std::string& name : names) expect_refused(server, ++session, name);
    const std::string trace = calls.stop();
    // What shows that it has seen what matters: the spool of a session, and the sockets of ICE.
    EXPECT_THAT(trace, HasSubstr(server.spool()));
    EXPECT_THAT(trace, HasSubstr("SOCK_DGRAM"));
    EXPECT_THAT(trace, Not(HasSubstr(witness_.file())));
    EXPECT_THAT(trace, Not(HasSubstr("htons(" + std::to_string(witness_.port()) + ")")));
  }
}

// The other isolation and the other decodebin. One of each kind.
TEST_F(GuardedServer, RefusesThemHoweverItIsRun) {
  for (const char* isolation : {"process", "none"}) {
    for (const char* pipeline : {"decodebin3 ! videoconvert ! fakesink", "parsebin ! fakesink"}) {
      SCOPED_TRACE(std::string(isolation) + ", " + pipeline);
      Server server({"--isolation", isolation, "--sandbox", "off"}, pipeline);
      int session = 0;
      for (const std::string& name : kOneOfEach) expect_refused(server, ++session, name);
    }
  }
}

// What demuxers say of broken files is for whoever mends them.
TEST_F(GuardedServer, TellsNothingOfItself) {
  Server server({}, "decodebin ! fakesink");
  const std::string box(
      "\0\0\0\x10"
      "ftypisom\0\0\2\0"
      "\0\0\1\0"
      "moov",
      24);
  const std::string told = send(server, box + std::string(200, '\0'));
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "processing-failed");
  EXPECT_NE(end.message, "");
  for (const std::string& text : {told, end.message}) {
    EXPECT_THAT(text, Not(HasSubstr(".c("))) << "lines of source";
    EXPECT_THAT(text, Not(HasSubstr("Gst"))) << "names of elements";
    EXPECT_THAT(text, Not(HasSubstr("/"))) << "paths";
  }
}

TEST_F(GuardedServer, NamesOfElementsAreChecked) {
  for (const char* option : {"--allow-elements", "--deny-elements"}) {
    Process server({test::program(), "serve", "--port", "0", option, "avdec_h264,nosuchelement"});
    EXPECT_EQ(server.wait_for_exit().value_or(-1), 2);
    EXPECT_THAT(server.errors(), HasSubstr(std::string(option) + ": there is no element "
                                                                 "\"nosuchelement\" here"));
  }
}

// A film that needs it is not decoded then.
TEST_F(GuardedServer, AnElementThatIsDeniedIsNotChosen) {
  const std::string film = directory_ + "/film.mkv";
  Process maker({"/usr/bin/env", "gst-launch-1.0", "-q", "videotestsrc", "num-buffers=5", "!",
                 "vp8enc", "!", "matroskamux", "!", "filesink", "location=" + film});
  ASSERT_EQ(maker.wait_for_exit().value_or(-1), 0) << maker.errors();
  for (const char* pipeline : {test::kDecode, "decodebin3 ! videoconvert ! fakesink"}) {
    for (const char* denied : {"matroskademux", "vp8dec, avdec_vp8"}) {
      SCOPED_TRACE(std::string(pipeline) + ", without " + denied);
      // A decodebin3 that finds no decoder says so to nobody who waits.
      Server server({"--deny-elements", denied, "--stall-timeout", "2"}, pipeline);
      Process sender({test::program(), "send", film, "--to", server.url()});
      EXPECT_EQ(sender.wait_for_exit().value_or(-1), 1);
      const Event end = server.wait_for_end(1);
      EXPECT_THAT(end.code, AnyOf("processing-failed", "stalled")) << end.message;
      EXPECT_EQ(end.frames, 0);
    }
    Server server({}, pipeline);
    Process sender({test::program(), "send", film, "--to", server.url()});
    EXPECT_EQ(sender.wait_for_exit().value_or(-1), 0);
    EXPECT_EQ(server.wait_for_end(1).frames, 5);
  }
}

}  // namespace
}  // namespace webrtcupload
