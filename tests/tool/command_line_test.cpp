// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What `webrtc-upload` says of what is asked of it: wrong options, files that cannot be sent, help.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>

#include "tool/end_to_end.h"

namespace webrtcupload::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CommandLine : public EndToEnd {};

TEST_F(CommandLine, ServeSaysWhatIsWrongWithItsCommandLine) {
  EXPECT_EQ(run({"serve", "--port", "70000"}).status, 2);
  EXPECT_EQ(run({"serve", "--isolation", "thread"}).status, 2);
  EXPECT_EQ(run({"serve", "--max-sessions", "0"}).status, 2);
  for (const char* list : {"v3", "", "v1,", "v1 v2"}) {
    EXPECT_EQ(run({"serve", "--protocols", list}).status, 2) << list;
  }
  for (const char* number : {"0", "1025", "-1"}) {
    EXPECT_EQ(run({"serve", "--max-connections", number}).status, 2) << number;
  }
  EXPECT_EQ(run({"serve", "--resume-timeout", "-1"}).status, 2);
  EXPECT_EQ(run({"serve", "--what"}).status, 2);
  EXPECT_EQ(run({"serve", "more"}).status, 2);
  EXPECT_THAT(run({"serve", "--address", "nowhere", "--pipeline", kSwallow}).errors,
              HasSubstr("is not an IP address"));
  const Outcome broken = run({"serve", "--pipeline", "nosuchelement ! fakesink"});
  EXPECT_EQ(broken.status, 1);
  EXPECT_THAT(broken.errors, HasSubstr("nosuchelement"));
  const Outcome missing =
      run({"serve", "--pipeline", kSwallow, "--spool-directory", file("no-such-directory")});
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.errors, HasSubstr("no-such-directory"));
  Server server({}, kSwallow);
  const Outcome taken =
      run({"serve", "--pipeline", kSwallow, "--port", std::to_string(server.port())});
  EXPECT_EQ(taken.status, 1);
  EXPECT_THAT(taken.errors, HasSubstr("cannot listen"));
}

TEST_F(CommandLine, SendSaysWhatIsWrong) {
  const std::string url = "http://127.0.0.1:1";
  EXPECT_EQ(run({"send"}).status, 2);
  EXPECT_EQ(run({"send", "x"}).status, 2);
  EXPECT_EQ(run({"send", file("video.mp4"), "--to", "nowhere"}).status, 2);
  EXPECT_EQ(run({"send", file("video.mp4"), "--to", url, "--chunk-size", "70000"}).status, 2);
  EXPECT_EQ(run({"send", file("video.mp4"), "--to", url, "--api-key", "key\r"}).status, 2);
  for (const char* number : {"0", "65", "-1", "4x", "many", ""}) {
    EXPECT_EQ(run({"send", file("video.mp4"), "--to", url, "--connections", number}).status, 2)
        << number;
  }
  EXPECT_EQ(run({"send", file("video.mp4"), "--to", url, "--protocol", "v3"}).status, 2);
  EXPECT_THAT(
      run({"send", file("video.mp4"), "--to", url, "--protocol", "v1", "--connections", "2"})
          .errors,
      HasSubstr("wire format v1 takes one connection"));
  const Outcome input = run({"send", "-", "--to", url, "--protocol", "v1"});
  EXPECT_EQ(input.status, 2);
  EXPECT_THAT(input.errors, HasSubstr("standard input has no size that is known beforehand"));
  const auto complaint = [&](const std::string& name) {
    const Outcome outcome = run({"send", name, "--to", url});
    EXPECT_EQ(outcome.status, 1) << name;
    // One line.
    EXPECT_EQ(outcome.errors.find('\n'), outcome.errors.size() - 1) << outcome.errors;
    return outcome.errors;
  };
  EXPECT_THAT(complaint(file("missing.mp4")), HasSubstr("No such file"));
  EXPECT_THAT(complaint(directory()), HasSubstr("is a directory"));
  EXPECT_THAT(complaint(file("empty.mp4")), HasSubstr("is empty"));
  EXPECT_THAT(complaint("/dev/null"), HasSubstr("not a regular file"));
  EXPECT_THAT(complaint(file("video.mp4")), HasSubstr("cannot reach http://127.0.0.1:1/"));
}

TEST_F(CommandLine, SendReportsWhatTheServerAnswers) {
  Server server({}, kSwallow);
  const Outcome outcome = run({"send", file("video.mp4"), "--to", server.url() + "/elsewhere"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("404: There is nothing at this path."));
}

TEST_F(CommandLine, HelpAndVersion) {
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_THAT(run({"--help"}).output, HasSubstr("webrtc-upload serve"));
  EXPECT_THAT(run({"--version"}).output, StartsWith("webrtc-upload "));
  EXPECT_THAT(run({"serve", "--help"}).output,
              AllOf(HasSubstr(" webrtc-upload serve "), HasSubstr("--pipeline")));
  EXPECT_THAT(run({"send", "--help"}).output,
              AllOf(HasSubstr(" webrtc-upload send "), HasSubstr(" FILE --to URL ")));
  EXPECT_THAT(run({"send", "--help"}).output, HasSubstr("--to"));
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"what"}).status, 2);
  EXPECT_EQ(run({"session"}).status, 2);
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
