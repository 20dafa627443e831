// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` and `send` as the programs people run: real files over real connections on
// loopback, and what happens when either side is killed, interrupted, or lied to.

#include "tool/end_to_end.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

#include "json/json.h"
#include "signalling/worker_request.h"
#include "support/sample_offers.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EachIsolation : public EndToEnd, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, EachIsolation, ::testing::Values("process", "none"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(EachIsolation, UploadsAndAnalysesAVideo) {
  Server server({"--isolation", GetParam()});
  const Outcome sent = send(server, file("video.mp4"));
  EXPECT_EQ(sent.status, 0) << sent.errors;
  EXPECT_THAT(sent.output, HasSubstr("100 %"));
  EXPECT_THAT(sent.output, HasSubstr(", " + std::to_string(kFrames) + " frames\n"));
  EXPECT_EQ(sent.errors, "");
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done");
  EXPECT_EQ(end.frames, kFrames);
  EXPECT_EQ(end.bytes, static_cast<std::int64_t>(fs::file_size(file("video.mp4"))));
  const auto frames = server.frames_of(1);
  ASSERT_EQ(frames.size(), static_cast<std::size_t>(kFrames));
  for (int i = 0; i < kFrames; ++i) {
    const Event& frame = frames[static_cast<std::size_t>(i)];
    EXPECT_EQ(frame.frame, i + 1);
    EXPECT_THAT(frame.text, HasSubstr("\"width\":320,\"height\":240,\"detections\":["));
  }
  // The end is the last word.
  EXPECT_EQ(server.events().back().event, "end");
}

TEST_P(EachIsolation, DecodesWithDecodebin3) {
  Server server({"--isolation", GetParam()}, "decodebin3 ! videoconvert ! fakesink");
  expect_success(send(server, file("video.mp4")));
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done") << end.message;
  EXPECT_EQ(end.frames, kFrames);
}

// More chunks than the default allows, which a larger file may have.
TEST_P(EachIsolation, ALargerFileMayHaveMoreChunks) {
  Server server({"--isolation", GetParam(), "--max-size", "600000000"}, kSwallow);
  const Outcome sent = send(server, file("small.bin"), {"--protocol", "v1", "--chunk-size", "1"});
  EXPECT_EQ(sent.status, 0) << sent.errors;
  EXPECT_EQ(server.wait_for_end(1).chunks, 36000);
}

TEST_P(EachIsolation, FilesThatAreNoVideosFailWithAReason) {
  Server server({"--isolation", GetParam()});
  int session = 0;
  for (const auto& [name, code] :
       {std::pair{"truncated.mp4", "processing-failed"}, std::pair{"text.mp4", "not-a-video"},
        std::pair{"one.mp4", "not-a-video"}}) {
    const Outcome sent = send(server, file(name));
    EXPECT_EQ(sent.status, 1) << name;
    EXPECT_THAT(sent.errors, StartsWith("webrtc-upload send: ")) << name;
    const Event end = server.wait_for_end(++session);
    EXPECT_EQ(end.status, "failed") << name;
    EXPECT_EQ(end.code, code) << name;
    EXPECT_NE(end.message, "") << name;
    EXPECT_THAT(sent.errors, HasSubstr(end.message)) << name;
  }
  expect_success(send(server, file("video.mp4")));
}

// What the demuxer finds out with its first bytes, on its own thread, while decodebin has hardly
// ended plugging it in.
TEST_P(EachIsolation, AnErrorAtOnceIsNeverLost) {
  Server server({"--isolation", GetParam()});
  for (int session = 1; session <= 10; ++session) {
    EXPECT_EQ(send(server, file("truncated.mp4")).status, 1);
    ASSERT_EQ(server.wait_for_end(session).code, "processing-failed") << session;
  }
}

TEST_P(EachIsolation, TwoSessionsAtOnceAreIndependent) {
  Server server({"--isolation", GetParam()});
  const auto good = start_send(server, file("video.mp4"));
  const auto bad = start_send(server, file("text.mp4"));
  const auto other = start_send(server, file("video.mp4"), {"--chunk-size", "1000"});
  expect_success(outcome_of(*good));
  EXPECT_EQ(outcome_of(*bad).status, 1);
  expect_success(outcome_of(*other));
  int done = 0;
  for (int session = 1; session <= 3; ++session) {
    const Event end = server.wait_for_end(session);
    if (end.status != "done") continue;
    ++done;
    EXPECT_EQ(end.frames, kFrames);
    EXPECT_EQ(server.frames_of(session).size(), static_cast<std::size_t>(kFrames));
  }
  EXPECT_EQ(done, 2);
}

TEST_P(EachIsolation, AnInterruptedClientEndsItsSession) {
  Server server({"--isolation", GetParam()}, kSwallow);
  const auto sender = start_send(server, file("big.bin"));
  expect_under_way(*sender);
  sender->signal(SIGINT);
  const Outcome outcome = outcome_of(*sender);
  EXPECT_EQ(outcome.status, 130);
  EXPECT_EQ(outcome.errors, "webrtc-upload send: interrupted\n");
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "cancelled");
}

TEST_P(EachIsolation, AKilledClientIsNoticed) {
  // Longer than a busy machine lets either side wait for its turn while both are alive.
  Server server({"--isolation", GetParam(), "--idle-timeout", "5"}, kSwallow);
  const auto sender = start_send(server, file("big.bin"));
  expect_under_way(*sender);
  sender->signal(SIGKILL);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_THAT(end.code, AnyOf("idle-timeout", "peer-gone"));
  expect_success(send(server, file("one.mp4")));
}

TEST_P(EachIsolation, CtrlCEndsTheServerAndItsSessions) {
  Server server({"--isolation", GetParam()}, kSwallow);
  const auto sender = start_send(server, file("big.bin"));
  expect_under_way(*sender);
  const auto children = test::children_of(server.process().pid());
  EXPECT_EQ(children.size(), std::string(GetParam()) == "process" ? 1u : 0u);
  server.process().signal(SIGINT);
  EXPECT_EQ(server.process().wait_for_exit(), 0) << server.process().errors();
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.code, "cancelled");
  const Outcome outcome = outcome_of(*sender);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("the server is stopping"));
  for (const pid_t child : children) {
    EXPECT_TRUE(eventually([&] { return !test::exists(child); }));
  }
}

// The second source has frames to tell of without end.
TEST_P(EachIsolation, CtrlCEndsAServerWhoseReaderIsStuck) {
  Server server({"--isolation", GetParam()},
                "fakesink videotestsrc ! video/x-raw,width=16,height=16 ! fakesink");
  server.process().pause_reading(true);
  const auto sender = start_send(server, file("one.mp4"));
  ASSERT_TRUE(sender->wait_for_line([](const std::string& line) {
    return line.find("100 %") == 0;
  })) << sender->errors();
  server.process().signal(SIGINT);
  EXPECT_EQ(server.process().wait_for_exit(), 0);
  EXPECT_EQ(outcome_of(*sender).status, 1);
}

TEST_P(EachIsolation, TooLargeAFileIsRefusedWithItsReason) {
  Server server({"--isolation", GetParam(), "--max-size", "1000000"}, kSwallow);
  const Outcome sent = send(server, file("big.bin"));
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.errors, HasSubstr("1000000"));
  EXPECT_EQ(server.wait_for_end(1).code, "too-large");
}

TEST_P(EachIsolation, NothingIsLeftAfterManySessions) {
  Server server({"--isolation", GetParam()});
  const pid_t pid = server.process().pid();
  int session = 0;
  const auto upload = [&](const char* name) {
    send(server, file(name));
    server.wait_for_end(++session);
    EXPECT_TRUE(eventually([&] { return test::children_of(pid).empty(); }));
  };
  for (int i = 0; i < 3; ++i) upload("video.mp4");
  const std::size_t before = test::descriptors_of(pid);
  for (int i = 0; i < 3; ++i) {
    upload("video.mp4");
    upload("text.mp4");
  }
  EXPECT_TRUE(eventually([&] { return test::descriptors_of(pid) <= before; }))
      << test::descriptors_of(pid) << " descriptors, " << before << " before";
}

TEST_P(EachIsolation, AClientThatNeverConnectsIsForgotten) {
  Server server({"--isolation", GetParam(), "--connect-timeout", "0.5", "--max-sessions", "1"});
  WorkerRequest request;
  request.offer_sdp = crlf(kWebrtcbinOffer);
  const std::string reply =
      test::http_exchange(server.port(), test::post(write_worker_request(request)));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr(R"("context":{"request_id":null,"pipeline_id":null})"));
  EXPECT_THAT(reply, HasSubstr("a=candidate:"));
  EXPECT_THAT(reply, Not(HasSubstr("max-message-size")));
  const auto end = server.wait_for_end(1);
  EXPECT_EQ(end.code, "connect-timeout");
  EXPECT_THAT(end.message, HasSubstr("no packets get through"));
  // Its place is free. (Half a second may be too short for a client that does connect.)
  EXPECT_TRUE(eventually([&] {
    return test::http_exchange(server.port(), test::post(write_worker_request(request)))
        .starts_with("HTTP/1.1 200");
  }));
}

// Offers of clients that are not webrtcbin are answered: same sections, none rejected.
TEST_P(EachIsolation, AnswersOtherClientsOffers) {
  Server server({"--isolation", GetParam(), "--connect-timeout", "0.5"});
  for (const auto offer : {kChromiumOffer, kAiortcOffer}) {
    WorkerRequest request;
    request.offer_sdp = crlf(offer);
    const std::string reply =
        test::http_exchange(server.port(), test::post(write_worker_request(request)));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(reply, HasSubstr("a=group:BUNDLE 0 1\\r\\n"));
    EXPECT_THAT(reply, HasSubstr("m=video 9 "));
    EXPECT_THAT(reply, HasSubstr("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
    EXPECT_THAT(reply, HasSubstr("a=sendonly"));
    EXPECT_THAT(reply, HasSubstr("\\r\\na=msid:webrtcupload "));
  }
}

TEST_P(EachIsolation, SendsNoVideoToWhoWantsNone) {
  Server server({"--isolation", GetParam(), "--connect-timeout", "0.5"});
  WorkerRequest request;
  request.offer_sdp = crlf(kChromiumOffer);
  request.stream_output = std::vector<std::string>{};
  const std::string reply =
      test::http_exchange(server.port(), test::post(write_worker_request(request)));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("m=video 9 "));
  EXPECT_THAT(reply, HasSubstr("a=inactive"));
}

TEST_P(EachIsolation, HostileRequestsDoNoHarm) {
  Server server({"--isolation", GetParam()});
  const auto status_of = [&](const std::string& body) {
    return test::http_exchange(server.port(), test::post(body)).substr(0, 12);
  };
  EXPECT_EQ(status_of("{"), "HTTP/1.1 400");
  EXPECT_EQ(status_of("{}"), "HTTP/1.1 422");
  EXPECT_EQ(status_of(std::string(300000, ' ')), "HTTP/1.1 413");
  WorkerRequest request;
  for (const std::string& sdp : {std::string(), std::string("v=0\r\n"), std::string("hello"),
                                 crlf(kChromiumOffer).substr(0, 700)}) {
    request.offer_sdp = sdp;
    const std::string reply =
        test::http_exchange(server.port(), test::post(write_worker_request(request)));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(reply, HasSubstr("\"error_type\":\"InvalidOffer\""));
    EXPECT_THAT(reply, HasSubstr("\"message\":\"the offer "));
  }
  expect_success(send(server, file("video.mp4")));
}

TEST_P(EachIsolation, LimitsSessions) {
  Server server({"--isolation", GetParam(), "--max-sessions", "1", "--idle-timeout", "600",
                 "--stall-timeout", "600"},
                kSwallow);
  const auto first = start_send(server, file("big.bin"));
  expect_under_way(*first);
  // However long the others take, it is not done before they are.
  first->signal(SIGSTOP);
  const Outcome second = send(server, file("one.mp4"));
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.errors, HasSubstr("429"));
  EXPECT_THAT(second.errors, HasSubstr("takes one upload at a time"));
  first->signal(SIGINT);
  first->signal(SIGCONT);
  EXPECT_EQ(outcome_of(*first).status, 130);
  server.wait_for_end(1);
  EXPECT_TRUE(eventually([&] { return send(server, file("one.mp4")).status == 0; }));
}

// In wire format v2 the upload would begin anew.
TEST_F(EndToEnd, AKilledSessionProcessIsAccountedFor) {
  Server server({}, kSwallow);
  const auto sender = start_send(server, file("big.bin"), {"--protocol", "v1"});
  expect_under_way(*sender);
  const auto children = test::children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1u);
  kill(*children.begin(), SIGKILL);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "crashed");
  EXPECT_THAT(end.message, HasSubstr("signal 9"));
  // WebRTC would take most of a minute to notice, and could not say why.
  expect_told_of_the_crash(outcome_of(*sender));
  expect_success(send(server, file("one.mp4")));
}

TEST_F(EndToEnd, ASessionProcessIsKilledAmidItsResults) {
  Server server({}, "decodebin ! videoconvert ! identity sleep-time=1000000 ! fakesink");
  const auto sender = start_send(server, file("video.mp4"));
  ASSERT_TRUE(server.process().wait_for_line([](const std::string& line) {
    return line.find("\"event\":\"frame\"") != std::string::npos;
  }));
  const auto children = test::children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1u);
  kill(*children.begin(), SIGKILL);
  EXPECT_EQ(server.wait_for_end(1).code, "crashed");
  expect_told_of_the_crash(outcome_of(*sender));
}

TEST_F(EndToEnd, ASlowReaderLosesNothing) {
  // About 130 bytes each: more than the server keeps for its reader, and little enough that the
  // session is over with the rest in its own process and the pipe between.
  constexpr int kLines = 9000;
  Server server({}, "fakesink videotestsrc num-buffers=" + std::to_string(kLines) +
                        " ! video/x-raw,width=16,height=16 ! fakesink");
  server.process().pause_reading(true);
  expect_success(send(server, file("one.mp4")));
  EXPECT_FALSE(
      eventually([&] { return test::children_of(server.process().pid()).empty(); }, seconds(2)));
  server.process().pause_reading(false);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done") << end.message;
  EXPECT_EQ(end.frames, kLines);
  EXPECT_EQ(server.frames_of(1).size(), static_cast<std::size_t>(kLines));
}

TEST_F(EndToEnd, AKilledServerLeavesNoProcesses) {
  Server server({"--resume-timeout", "1"}, kSwallow);
  const auto sender = start_send(server, file("big.bin"));
  expect_under_way(*sender);
  const auto children = test::children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1u);
  server.process().signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return !test::exists(*children.begin()); }));
  const Outcome outcome = outcome_of(*sender);
  EXPECT_EQ(outcome.status, 1);
  // The session's process may be faster than its own end.
  EXPECT_THAT(outcome.errors,
              AnyOf(StartsWith("webrtc-upload send: peer-gone: the connection was lost ("),
                    "webrtc-upload send: cancelled: the server is stopping\n"));
}

TEST_F(EndToEnd, EncodedOutputIsObservedBeforeTheEncoder) {
  Server server({}, "decodebin ! videoconvert ! x264enc tune=zerolatency ! queue ! fakesink");
  expect_success(send(server, file("video.mp4")));
  EXPECT_EQ(server.wait_for_end(1).frames, kFrames);
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
