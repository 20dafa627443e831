// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The tool's small parts: the lines between processes, output to slow readers, the completion
// message, what a person sees.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "json/json.h"
#include "process.h"
#include "results/result_document.h"
#include "tool/common/event_output.h"
#include "tool/common/http_client.h"
#include "tool/common/session_types.h"
#include "tool/send/completion.h"
#include "tool/send/progress_display.h"
#include "tool/session/frame_observer.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SessionLines, AConfigurationSurvives) {
  SessionConfig config;
  config.id = "7";
  config.offer_sdp = "v=0\r\n\"quoted\"\r\n";
  config.pipeline = "a ! b name=\"x y\"";
  config.ice_addresses = {"127.0.0.1", "::1"};
  config.ice_network = {.udp_ports = UdpPortRange{50000, 50100},
                        .announced_addresses = {"203.0.113.7", "2001:db8::7"}};
  config.max_size = 5000000000;
  config.idle_timeout = milliseconds(1500);
  config.spool_directory = "/tmp/ä";
  config.connect_timeout = milliseconds(250);
  config.stall_timeout = milliseconds(0);
  config.realtime = true;
  config.data_output = {"*", "image", "\"quoted\"\n"};
  config.video_output = "image";
  config.video_codec = "H264";
  config.declared_fps = 29.97;
  config.processing_timeout = milliseconds(10'000'000'000);
  config.ice_servers = {{{"stun:x:3478"}, "", ""},
                        {{"turn:[::1]:3478?transport=udp", "turns:y:5349?transport=tcp"},
                         "n\u00e4me:@/%",
                         "\"pass\" word"}};
  config.asks_policy = true;
  config.quota_interval = milliseconds(10);
  config.memory_limit = 1ull << 33;
  config.max_pixels = 1ull << 40;
  config.max_duration = milliseconds(1500);
  config.max_frames = 1ull << 41;
  config.max_streams = 0xffffffff;
  config.sandbox = {.mode = SandboxMode::kStrict,
                    .paths = {.read = {"/a", "/b c"}, .write = {"/\"d"}},
                    .network = true,
                    .hardware = true,
                    .user = "somebody"};
  const std::string line = config_line(config);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto back = parse_config_line(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, config.id);
  EXPECT_EQ(back->offer_sdp, config.offer_sdp);
  EXPECT_EQ(back->pipeline, config.pipeline);
  EXPECT_EQ(back->ice_addresses, config.ice_addresses);
  EXPECT_EQ(back->ice_network.udp_ports, config.ice_network.udp_ports);
  EXPECT_EQ(back->ice_network.announced_addresses, config.ice_network.announced_addresses);
  EXPECT_EQ(back->max_size, config.max_size);
  EXPECT_EQ(back->max_chunks, config.max_chunks);
  EXPECT_EQ(back->min_rate, config.min_rate);
  EXPECT_EQ(back->idle_timeout, config.idle_timeout);
  EXPECT_EQ(back->upload_timeout, std::nullopt);
  EXPECT_EQ(back->spool_directory, config.spool_directory);
  EXPECT_EQ(back->connect_timeout, config.connect_timeout);
  EXPECT_EQ(back->stall_timeout, config.stall_timeout);
  EXPECT_EQ(back->realtime, config.realtime);
  EXPECT_EQ(back->data_output, config.data_output);
  EXPECT_EQ(back->video_output, config.video_output);
  EXPECT_EQ(back->video_codec, config.video_codec);
  EXPECT_EQ(back->declared_fps, config.declared_fps);
  EXPECT_EQ(back->processing_timeout, config.processing_timeout);
  EXPECT_EQ(back->ice_servers, config.ice_servers);
  EXPECT_EQ(back->asks_policy, config.asks_policy);
  EXPECT_EQ(back->quota_interval, config.quota_interval);
  EXPECT_EQ(back->memory_limit, config.memory_limit);
  EXPECT_EQ(back->max_pixels, config.max_pixels);
  EXPECT_EQ(back->max_duration, config.max_duration);
  EXPECT_EQ(back->max_frames, config.max_frames);
  EXPECT_EQ(back->max_streams, config.max_streams);
  EXPECT_EQ(back->sandbox.mode, config.sandbox.mode);
  EXPECT_EQ(back->sandbox.paths, config.sandbox.paths);
  EXPECT_EQ(back->sandbox.network, config.sandbox.network);
  EXPECT_EQ(back->sandbox.hardware, config.sandbox.hardware);
  EXPECT_EQ(back->sandbox.user, config.sandbox.user);
}

TEST(SessionLines, WhatAConfigurationLeavesOutIsLeftOut) {
  SessionConfig config;
  config.pipeline = "fakesink";
  const auto back = parse_config_line(config_line(config));
  ASSERT_TRUE(back);
  EXPECT_EQ(config_line(*back), config_line(config));
  EXPECT_FALSE(back->ice_network.udp_ports);
  EXPECT_TRUE(back->ice_network.announced_addresses.empty());
  EXPECT_FALSE(back->max_size);
  EXPECT_FALSE(back->max_chunks);
  EXPECT_FALSE(back->min_rate);
  EXPECT_FALSE(back->idle_timeout);
  EXPECT_FALSE(back->stall_timeout);
  EXPECT_FALSE(back->realtime);
  EXPECT_TRUE(back->data_output.empty());
  EXPECT_FALSE(back->video_output);
  EXPECT_EQ(back->video_codec, "VP8");
  EXPECT_FALSE(back->declared_fps);
  EXPECT_FALSE(back->processing_timeout);
  EXPECT_TRUE(back->ice_servers.empty());
  EXPECT_FALSE(back->asks_policy);
  EXPECT_FALSE(back->quota_interval);
  EXPECT_FALSE(back->memory_limit);
  EXPECT_FALSE(back->max_pixels);
  EXPECT_FALSE(back->max_duration);
  EXPECT_FALSE(back->max_frames);
  EXPECT_FALSE(back->max_streams);
  EXPECT_EQ(back->sandbox.mode, SandboxMode::kOff);
}

TEST(SessionLines, ABrokenConfigurationIsRefused) {
  EXPECT_FALSE(parse_config_line(""));
  EXPECT_FALSE(parse_config_line("{}"));
  EXPECT_FALSE(parse_config_line(R"({"session":"1","offer_sdp":"x","pipeline":1})"));
  const std::string good = config_line({});
  ASSERT_TRUE(parse_config_line(good));
  for (const char* list :
       {"ice_addresses", "data_output", "ice_servers", "sandbox_read", "sandbox_write"}) {
    for (const char* value : {"1", "[1]", "[null]", "{}"}) {
      const std::string member = "\"" + std::string(list) + "\":";
      std::string bad = good;
      const std::size_t at = bad.find(member + "[]");
      ASSERT_NE(at, std::string::npos) << list;
      bad.replace(at + member.size(), 2, value);
      EXPECT_FALSE(parse_config_line(bad)) << bad;
    }
  }
  // A wall that is not understood is not left out.
  std::string bad = good;
  bad.replace(bad.find("\"off\""), 5, "\"most\"");
  EXPECT_FALSE(parse_config_line(bad)) << bad;
}

TEST(SessionLines, QuestionsAndTheirAnswersSurvive) {
  for (const auto point : {PolicyQuestion::Point::kUpload, PolicyQuestion::Point::kRunning}) {
    const FilmFacts film{.name = "a \"film\"", .content_type = "video/mp4", .sha256 = "ab"};
    const auto line = parse_child_line("1", ask_line(7, {point, 1ull << 40, 5, film}));
    const auto* ask = std::get_if<AskLine>(&line);
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->number, 7u);
    EXPECT_EQ(ask->question.point, point);
    EXPECT_EQ(ask->question.bytes_announced, 1ull << 40);
    EXPECT_EQ(ask->question.bytes_received, 5u);
    EXPECT_EQ(ask->question.film, film);
  }
  const auto denial = parse_parent_line(policy_line(9, {false, true, "No \"more\"\n."}));
  const auto* denied = std::get_if<PolicyLine>(&denial);
  ASSERT_TRUE(denied);
  EXPECT_EQ(denied->number, 9u);
  EXPECT_FALSE(denied->answer.allowed);
  EXPECT_TRUE(denied->answer.over_quota);
  EXPECT_EQ(denied->answer.message, "No \"more\"\n.");
  const auto permission = parse_parent_line(policy_line(0, {}));
  ASSERT_TRUE(std::holds_alternative<PolicyLine>(permission));
  EXPECT_TRUE(std::get<PolicyLine>(permission).answer.allowed);
  const auto stop = parse_parent_line(stop_line("\"why\""));
  ASSERT_TRUE(std::holds_alternative<StopLine>(stop));
  EXPECT_EQ(std::get<StopLine>(stop).why, "\"why\"");
  for (const char* line :
       {"", "{}", "x", R"({"reply_to":1})", R"({"reply_to":-1,"allowed":true})",
        R"({"reply_to":1,"allowed":1})", R"({"allowed":true})", R"({"stop":1})"}) {
    EXPECT_TRUE(std::holds_alternative<BadLine>(parse_parent_line(line))) << line;
  }
}

TEST(SessionLines, WhatAChildSaysIsUnderstood) {
  const auto answer = parse_child_line("1", answer_line("v=0\r\n"));
  ASSERT_TRUE(std::holds_alternative<AnswerLine>(answer));
  EXPECT_EQ(std::get<AnswerLine>(answer).sdp, "v=0\r\n");

  const auto refused = parse_child_line("1", refused_line({400, "InvalidOffer", "No.", {}}));
  ASSERT_TRUE(std::holds_alternative<HttpError>(refused));
  EXPECT_EQ(std::get<HttpError>(refused).status, 400u);
  EXPECT_EQ(std::get<HttpError>(refused).message, "No.");

  const SessionEnd end{.done = false,
                       .code = "too-large",
                       .message = "It is \"large\".",
                       .frames = 1,
                       .bytes = 1ull << 40,
                       .chunks = 3};
  const auto ended = parse_child_line("1", end_line("1", end));
  ASSERT_TRUE(std::holds_alternative<SessionEnd>(ended));
  EXPECT_FALSE(std::get<SessionEnd>(ended).done);
  EXPECT_EQ(std::get<SessionEnd>(ended).code, end.code);
  EXPECT_EQ(std::get<SessionEnd>(ended).message, end.message);
  EXPECT_EQ(std::get<SessionEnd>(ended).bytes, end.bytes);
}

// A session's process has been fed by a stranger: it is not believed everything.
TEST(SessionLines, NonsenseFromAChildIsRecognised) {
  for (const char* line :
       {"", "x", "{}", "[]", R"({"event":"answer"})", R"({"event":"answer","sdp":1})",
        R"({"event":"what"})", R"({"event":"ask"})", R"({"event":"ask","id":1})",
        R"({"event":"ask","id":1,"point":"what"})", R"({"event":"ask","id":-1,"point":"upload"})",
        R"({"event":"ask","id":"1","point":"upload"})", R"({"event":"frame"})",
        R"({"event":"frame","session":"2"})", R"({"event":"frame","session":"1")"}) {
    EXPECT_TRUE(std::holds_alternative<BadLine>(parse_child_line("1", line))) << line;
  }
  EXPECT_TRUE(std::holds_alternative<FrameLine>(
      parse_child_line("1", R"({"event":"frame","session":"1"})")));
  const auto odd = parse_child_line("1", R"({"event":"refused","status":200})");
  EXPECT_EQ(std::get<HttpError>(odd).status, 500u);
  EXPECT_EQ(std::get<SessionEnd>(parse_child_line("1", R"({"event":"end","frames":-5})")).frames,
            0u);
}

TEST(Json, NumbersThatJsonLacksBecomeNull) {
  EXPECT_EQ(JsonWriter().set("a", NAN).set("b", double{INFINITY}).text(), R"({"a":null,"b":null})");
}

TEST(Json, BrokenTextBecomesValid) {
  const std::string text = JsonWriter().set("a", std::string_view("\xff\n\"")).text();
  EXPECT_TRUE(std::holds_alternative<JsonNodePtr>(parse_json_object(text)));
}

TEST(Completion, IsReadFromItsResult) {
  const std::vector<std::string> errors{"one", "two"};
  const auto completion =
      read_completion({.frame_id = 9, .text = completion_document("too-large", errors)});
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->frame_id, 9u);
  EXPECT_EQ(completion->termination_reason, "too-large");
  EXPECT_EQ(completion->errors, errors);
}

TEST(Completion, HasNoReasonIfAllWentWell) {
  const auto completion = read_completion({.frame_id = 1, .text = completion_document("", {})});
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->termination_reason, "");
  EXPECT_TRUE(completion->errors.empty());
}

// Parsed, values take many times of what they take as text.
TEST(Completion, OneThatIsTooLongIsNotRead) {
  std::string text = completion_document("too-large", {});
  text.insert(1, kMaxCompletion - text.size(), ' ');
  EXPECT_TRUE(read_completion({.frame_id = 1, .text = text}));
  text.insert(1, " ");
  EXPECT_FALSE(read_completion({.frame_id = 1, .text = text}));
}

TEST(Completion, OtherResultsAreNone) {
  for (const char* text : {"", "[]", "{}", R"({"processing_complete":false})",
                           R"({"processing_complete":"true"})", R"({"processing_complete":1})"}) {
    EXPECT_FALSE(read_completion({.frame_id = 1, .text = text})) << text;
  }
}

class OutputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(pipe2(pipe_, O_CLOEXEC), 0);
  }
  void TearDown() override {
    for (const int fd : pipe_) {
      if (fd >= 0) close(fd);
    }
  }
  std::string read_some() const {
    char buffer[65536];
    const ssize_t n = ::read(pipe_[0], buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }
  int pipe_[2] = {-1, -1};
};

TEST_F(OutputTest, WritesLinesInOrder) {
  {
    EventOutput output(pipe_[1], EventOutput::Marks{});
    output.write("one");
    output.write_patiently("two");
    output.write(std::string(10000, 'x'));
  }
  EXPECT_EQ(read_some(), "one\ntwo\n" + std::string(10000, 'x') + "\n");
}

TEST_F(OutputTest, AWriterWaitsForASlowReaderAndTellsWhenItIsOver) {
  std::atomic<int> reliefs = 0;
  std::atomic<int> written = 0;
  const std::string line(9999, 'x');
  constexpr int kLines = 100;
  EventOutput output(pipe_[1], {.high = 50000, .low = 10000});
  output.set_on_relief([&] { ++reliefs; });
  std::thread writer([&] {
    for (int i = 0; i < kLines; ++i) {
      output.write_patiently(line);
      ++written;
    }
  });
  EXPECT_TRUE(test::eventually([&] { return output.congested(); }));
  // What the pipe holds, what may wait, and the one line that tipped it over.
  EXPECT_LE(written, (65536 + 50000) / 10000 + 2);
  std::size_t total = 0;
  while (total < kLines * 10000u) total += read_some().size();
  writer.join();
  EXPECT_EQ(written, kLines);
  EXPECT_TRUE(test::eventually([&] { return !output.congested(); }));
  EXPECT_GE(reliefs, 1);
}

TEST_F(OutputTest, AGoneReaderStopsNobody) {
  EventOutput output(pipe_[1], {.high = 1000, .low = 100});
  close(std::exchange(pipe_[0], -1));
  for (int i = 0; i < 1000; ++i) output.write_patiently(std::string(1000, 'x'));
  EXPECT_TRUE(test::eventually([&] { return !output.congested(); }));
}

TEST_F(OutputTest, AStuckReaderDoesNotKeepItFromEnding) {
  const auto begin = std::chrono::steady_clock::now();
  {
    EventOutput output(pipe_[1], EventOutput::Marks{});
    output.write(std::string(1 << 20, 'x'));
  }
  // Half a second where nothing else is in the way.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kDeadline);
}

TEST_F(OutputTest, FlushWaitsForASlowReader) {
  std::atomic<bool> flushed = false;
  {
    EventOutput output(pipe_[1], {.high = 1000, .low = 100});
    output.write(std::string((1 << 20) - 1, 'x'));
    std::thread flusher([&] {
      output.flush();
      flushed = true;
    });
    std::size_t total = 0;
    while (total < (1 << 20)) {
      EXPECT_FALSE(flushed && total + 65536 < (1 << 20));
      total += read_some().size();
    }
    flusher.join();
  }
  EXPECT_TRUE(flushed);
}

TEST_F(OutputTest, FlushDoesNotWaitForAGoneReader) {
  EventOutput output(pipe_[1], {.high = 1000, .low = 100});
  output.write(std::string(1 << 20, 'x'));
  close(std::exchange(pipe_[0], -1));
  output.flush();
}

TEST_F(OutputTest, WritersAreLetGoWhenPatienceEnds) {
  EventOutput output(pipe_[1], {.high = 1000, .low = 100});
  output.write(std::string(1 << 20, 'x'));
  ASSERT_TRUE(output.congested());
  std::thread writer([&] { output.write_patiently("more"); });
  output.end_patience();
  writer.join();
  EXPECT_TRUE(output.congested());
}

TEST(Progress, Sizes) {
  EXPECT_EQ(format_size(0), "0 bytes");
  EXPECT_EQ(format_size(999), "999 bytes");
  EXPECT_EQ(format_size(1000), "1.0 kB");
  EXPECT_EQ(format_size(999949), "999.9 kB");
  EXPECT_EQ(format_size(999951), "1.0 MB");
  EXPECT_EQ(format_size(1500000000), "1.5 GB");
  EXPECT_EQ(format_size(UINT64_MAX), "18446744.1 TB");
}

TEST(Progress, Times) {
  EXPECT_EQ(format_time(seconds(7)), "0:07");
  EXPECT_EQ(format_time(seconds(71)), "1:11");
  EXPECT_EQ(format_time(seconds(3723)), "1:02:03");
}

TEST(Progress, APercentIsNeverTooMuch) {
  EXPECT_EQ(percent_of({.bytes = 0, .total = 0}), 0);
  EXPECT_EQ(percent_of({.bytes = 999, .total = 1000}), 99);
  EXPECT_EQ(percent_of({.bytes = 2000, .total = 1000}), 100);
}

TEST(Progress, TheBarFitsItsTerminal) {
  const ProgressState half{.bytes = 1000000, .total = 2000000, .elapsed = milliseconds(1000)};
  EXPECT_EQ(format_bar(half, 200),
            "[####################--------------------]   50 %  1.0 MB of 2.0 MB  1.0 MB/s  0:01 "
            "left");
  for (int columns = 0; columns < 200; ++columns) {
    EXPECT_LT(static_cast<int>(format_bar(half, columns).size()), std::max(columns, 1));
  }
}

TEST(Progress, PlainLinesAreFew) {
  std::FILE* out = std::tmpfile();
  {
    ProgressDisplay display(out);
    for (std::uint64_t i = 0; i <= 1000; ++i) {
      display.update({.bytes = i, .total = 1000, .elapsed = milliseconds(i)});
    }
    display.say("done");
  }
  std::rewind(out);
  char buffer[4096];
  const std::size_t size = std::fread(buffer, 1, sizeof buffer, out);
  std::fclose(out);
  const std::string text(buffer, size);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_TRUE(text.ends_with("done\n"));
}

TEST(ServerUrl, GetsTheEndpointsPath) {
  std::string problem;
  EXPECT_EQ(parse_server_url("http://127.0.0.1:8080", problem)->text,
            "http://127.0.0.1:8080/initialise_webrtc_worker");
  EXPECT_EQ(parse_server_url("http://x/", problem)->text, "http://x/initialise_webrtc_worker");
  EXPECT_EQ(parse_server_url("https://x/y", problem)->text, "https://x/y");
  EXPECT_EQ(parse_server_url("http://[::1]:80", problem)->host, "::1");
  for (const char* wrong : {"", "x", "127.0.0.1:8080", "ftp://x", "http://", "http://[x"}) {
    EXPECT_FALSE(parse_server_url(wrong, problem)) << wrong;
    EXPECT_NE(problem, "");
  }
}

TEST(FrameLine, NumbersAreAsShortAsTheyCanBe) {
  gst_init(nullptr, nullptr);
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 320, 240);
  StreamTime time = 40000000;
  const auto line = [&](const std::vector<Detection>& detections) {
    return frame_line("a\"b", {.number = 7,
                               .buffer = nullptr,
                               .time = time,
                               .caps = nullptr,
                               .info = info,
                               .detections = detections});
  };
  EXPECT_EQ(line({{"person", Box{288.1, 40, 30.5, 60}, 0.9, ""},
                  {"QR-Code", std::nullopt, std::nullopt, "x\ny"}}),
            R"({"event":"frame","session":"a\"b","frame":7,"pts":40000000,"width":320,)"
            R"("height":240,"detections":[{"class":"person","x":288.1,"y":40,"width":30.5,)"
            R"("height":60,"confidence":0.9},{"class":"QR-Code","text":"x\u000ay"}]})");
  Detection car{"car", Box{10, 20, 30, 40}, 0.5, ""};
  car.tracker_id = 18446744073709551615U;
  car.classifications = {{"red", 0.75}, {"van", std::nullopt}};
  Detection plate{"plate", Box{1, 2, 3, 4}, std::nullopt, "AB 12"};
  plate.parent = 0;
  plate.orientation =
      Orientation{22.5, {Point{1, 2}, Point{3.5, 4}, Point{5, 6}, Point{-7, 8.125}}};
  EXPECT_THAT(line({car, plate}),
              ::testing::EndsWith(
                  R"("detections":[{"class":"car","x":10,"y":20,"width":30,"height":40,)"
                  R"("confidence":0.5,"tracker_id":18446744073709551615,"classifications":[)"
                  R"({"class":"red","confidence":0.75},{"class":"van"}]},)"
                  R"({"class":"plate","x":1,"y":2,"width":3,"height":4,"parent":0,)"
                  R"("angle":22.5,"points":[{"x":1,"y":2},{"x":3.5,"y":4},{"x":5,"y":6},)"
                  R"({"x":-7,"y":8.125}],"text":"AB 12"}]})"));
  time.reset();
  EXPECT_THAT(line({}),
              ::testing::EndsWith(R"("pts":null,"width":320,"height":240,"detections":[]})"));
}

}  // namespace
}  // namespace webrtcupload
