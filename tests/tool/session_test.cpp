// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a session of `webrtc-upload serve` gives its client, over a real connection: results, in
// their order and with an end, whatever happens.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "json/json.h"
#include "server.h"
#include "support/run_to_end.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using test::Event;
using test::Server;
using test::WorkerClient;
using ::testing::HasSubstr;

constexpr int kFrames = 40;
// A frame a second or so.
constexpr const char* kSlow = "decodebin ! videoconvert ! identity sleep-time=1000000 ! fakesink";

// One result as its client reads it.
struct Result {
  std::uint32_t header_id = 0;
  bool complete = false;
  std::string reason;
  std::string error;
  std::int64_t frame_id = -1;
  std::int64_t pts = -1;
  std::int64_t width = -1;
  std::int64_t height = -1;
  bool has_predictions = false;
  bool has_image = false;
  bool output_is_null = false;
};

Result read(const ResultAssembler::Assembled& assembled) {
  Result result;
  result.header_id = assembled.frame_id;
  auto parsed = parse_json_object(assembled.text);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) {
    ADD_FAILURE() << "not JSON: " << assembled.text;
    return result;
  }
  JsonObject* object = json_node_get_object(node->get());
  result.complete = json_boolean(object, "processing_complete").value_or(false);
  result.reason = json_string(object, "termination_reason").value_or("");
  JsonNode* errors = json_member(object, "errors");
  if (errors && JSON_NODE_HOLDS_ARRAY(errors)) {
    JsonArray* list = json_node_get_array(errors);
    if (json_array_get_length(list) > 0) {
      result.error = json_array_get_string_element(list, 0);
    }
  }
  JsonNode* output = json_member(object, "serialized_output_data");
  result.output_is_null = !output || JSON_NODE_HOLDS_NULL(output);
  if (!result.output_is_null) {
    JsonObject* outputs = json_node_get_object(output);
    result.has_predictions = json_object_has_member(outputs, "predictions");
    result.has_image = json_object_has_member(outputs, "image");
  }
  JsonNode* metadata = json_member(object, "video_metadata");
  if (metadata && JSON_NODE_HOLDS_OBJECT(metadata)) {
    JsonObject* fields = json_node_get_object(metadata);
    result.frame_id = json_integer(fields, "frame_id").value_or(-1);
    result.pts = json_integer(fields, "pts").value_or(-1);
    result.width = json_integer(fields, "width").value_or(-1);
    result.height = json_integer(fields, "height").value_or(-1);
  }
  return result;
}

std::vector<Result> read_all(const WorkerClient& client) {
  std::vector<Result> results;
  for (const auto& assembled : client.results()) results.push_back(read(assembled));
  return results;
}

class SessionTest : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    make_video(video(), "width=320,height=240");
    make_video(small_video(), "width=64,height=48");
  }
  static void make_video(const std::string& path, const std::string& size) {
    ASSERT_TRUE(test::run_to_end(
        "videotestsrc num-buffers=" + std::to_string(kFrames) + " ! video/x-raw,framerate=25/1," +
        size + " ! x264enc speed-preset=ultrafast ! mp4mux ! filesink location=" + path));
  }
  static void TearDownTestSuite() { fs::remove_all(directory()); }

  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string video() { return directory() + "/video.mp4"; }
  // The same in one chunk.
  static std::string small_video() { return directory() + "/small.mp4"; }

  static std::vector<std::string> isolation(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--isolation", GetParam()});
    return more;
  }
};
INSTANTIATE_TEST_SUITE_P(All, SessionTest, ::testing::Values("process", "none"),
                         [](const auto& param) { return std::string(param.param); });

WorkerRequest batch() {
  WorkerRequest request;
  request.realtime = false;
  request.stream_output = std::vector<std::string>{};
  request.data_output = std::vector<std::string>{"*"};
  return request;
}

TEST_P(SessionTest, EveryFrameHasItsResultAndThenComesTheEnd) {
  Server server(isolation());
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  for (int i = 0; i < kFrames; ++i) {
    const Result& result = results[static_cast<std::size_t>(i)];
    EXPECT_EQ(result.header_id, static_cast<std::uint32_t>(i) + 1);
    EXPECT_EQ(result.frame_id, i + 1);
    EXPECT_EQ(result.pts, i * 90000 / 25);
    EXPECT_EQ(result.width, 320);
    EXPECT_EQ(result.height, 240);
    EXPECT_TRUE(result.has_predictions);
    EXPECT_FALSE(result.has_image) << "\"*\" is all but images";
    EXPECT_FALSE(result.complete);
  }
  EXPECT_TRUE(results.back().complete);
  EXPECT_EQ(results.back().header_id, static_cast<std::uint32_t>(kFrames) + 1);
  EXPECT_EQ(results.back().reason, "");
  EXPECT_EQ(server.wait_for_end(1).status, "done");
}

TEST_P(SessionTest, WithoutOutputsThereIsOnlyMetadata) {
  Server server(isolation());
  WorkerClient client;
  WorkerRequest request = batch();
  request.data_output.reset();
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(results.front().output_is_null);
  EXPECT_EQ(results.front().frame_id, 1);
}

TEST_P(SessionTest, TheImageComesWhenItIsAskedForByName) {
  Server server(isolation());
  WorkerClient client;
  WorkerRequest request = batch();
  request.data_output = std::vector<std::string>{"image"};
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(results.front().has_image);
  EXPECT_FALSE(results.front().has_predictions);
}

TEST_P(SessionTest, InRealTimeTheOrderAndTheEndStay) {
  Server server(isolation());
  WorkerClient client;
  WorkerRequest request = batch();
  request.realtime = true;
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  // Frames that are late, on a slow machine, are left out.
  ASSERT_GE(results.size(), 2U);
  EXPECT_LE(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(std::is_sorted(results.begin(), results.end(), [](const auto& a, const auto& b) {
    return a.header_id < b.header_id;
  }));
  EXPECT_TRUE(results.back().complete);
}

TEST_P(SessionTest, ASessionThatTakesTooLongEndsWithTimeoutReached) {
  Server server(isolation(), kSlow);
  WorkerClient client;
  WorkerRequest request = batch();
  request.processing_timeout = 1.5;
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_FALSE(results.empty());
  EXPECT_LT(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(results.back().complete);
  EXPECT_EQ(results.back().reason, "timeout_reached");
  EXPECT_NE(results.back().error, "");
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "timeout_reached");
}

TEST_P(SessionTest, AStalledSessionEndsAndSaysSo) {
  Server server(isolation({"--stall-timeout", "1"}),
                "decodebin ! videoconvert ! identity sleep-time=4000000 ! fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  // At once or not at all: an upload that pauses for a second is a stall as well.
  client.upload(small_video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_FALSE(results.empty());
  EXPECT_EQ(results.back().reason, "stalled");
  EXPECT_THAT(results.back().error, HasSubstr("1 seconds"));
  EXPECT_EQ(server.wait_for_end(1).code, "stalled");
}

TEST_P(SessionTest, AnUploadThatFailsSaysWhyOnTheResultsChannel) {
  Server server(isolation({"--max-size", "1000"}));
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload_part(video(), 1);
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(results[0].complete);
  EXPECT_EQ(results[0].header_id, 1U);
  EXPECT_EQ(results[0].reason, "too-large");
  EXPECT_THAT(results[0].error, HasSubstr("1000"));
}

TEST_P(SessionTest, OddThingsOnTheResultsChannelChangeNothing) {
  Server server(isolation());
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  for (const char* text :
       {"x", "{", "[]", "null", "{}", R"({"ack":-1})", R"({"ack":1e99})", R"({"ack":"7"})",
        R"({"ack":4294967295})", R"({"ack":null})", R"({"stream_output":7})",
        R"({"stream_output":[1,null,{}]})", R"({"data_output":"x"})", R"({"data_output":[3]})"}) {
    EXPECT_TRUE(client.say(text)) << text;
  }
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_EQ(results.back().reason, "");
}

// The operator's own sink in place of the session's results.
constexpr const char* kOwnSink = "decodebin ! videoconvert ! webrtcresultsink output-name=mine";

TEST_P(SessionTest, ASinkOfTheOperatorsSendsTheResults) {
  Server server(isolation(), kOwnSink);
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = client.results();
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_THAT(results.front().text, HasSubstr("\"mine\":{"));
  EXPECT_TRUE(read(results.back()).complete);
  EXPECT_EQ(read(results.back()).reason, "");
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done");
  EXPECT_EQ(end.frames, kFrames);
}

TEST_P(SessionTest, AClientMayLeaveOnTheEndThatASinkOfTheOperatorsSends) {
  Server server(isolation(), kOwnSink);
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_results(static_cast<std::size_t>(kFrames) + 1));
  client.hang_up();
  EXPECT_EQ(server.wait_for_end(1).status, "done");
}

TEST_P(SessionTest, AClientThatLeavesAmidTheResultsOfASinkIsGone) {
  Server server(isolation(),
                "decodebin ! videoconvert ! identity sleep-time=1000000 ! webrtcresultsink");
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_results(2));
  client.hang_up();
  EXPECT_EQ(server.wait_for_end(1).code, "peer-gone");
}

TEST_P(SessionTest, ASinkOfTheOperatorsTellsWhyItFailed) {
  Server server(isolation({"--max-size", "1000"}), kOwnSink);
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload_part(video(), 1);
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].reason, "too-large");
  EXPECT_EQ(server.wait_for_end(1).code, "too-large");
}

TEST_P(SessionTest, ASinkOfTheOperatorsTellsThatTimeIsUp) {
  Server server(isolation(),
                "decodebin ! videoconvert ! identity sleep-time=500000 ! webrtcresultsink");
  WorkerClient client;
  WorkerRequest request = batch();
  request.processing_timeout = 1;
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_end());
  const auto results = read_all(client);
  ASSERT_FALSE(results.empty());
  EXPECT_EQ(results.back().reason, "timeout_reached");
  EXPECT_EQ(server.wait_for_end(1).code, "timeout_reached");
}

// The sink waits for its client before the session knows that the analysis is over.
TEST_P(SessionTest, WhoReadsTheResultsOfASinkSlowlyStallsNothing) {
  Server server(isolation({"--stall-timeout", "3"}), kOwnSink);
  WorkerClient client;
  WorkerRequest request = batch();
  request.processing_timeout = 6;
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(small_video());
  ASSERT_TRUE(client.wait_results(1));
  ASSERT_TRUE(client.say(R"({"ack": 1})"));
  ASSERT_TRUE(client.wait_results(30));
  ASSERT_TRUE(client.say(R"({"ack": 30})"));
  ASSERT_TRUE(client.wait_completion());
  // Its program is busy for longer than both.
  std::this_thread::sleep_for(seconds(7));
  ASSERT_TRUE(client.wait_end());
  EXPECT_EQ(client.results().size(), static_cast<std::size_t>(kFrames) + 1);
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "done") << end.code;
}

TEST_P(SessionTest, AServerThatStopsDoesNotWaitForASlowReader) {
  for (const char* pipeline : {test::kDecode, kOwnSink}) {
    SCOPED_TRACE(pipeline);
    Server server(isolation(), pipeline);
    WorkerClient client;
    ASSERT_EQ(client.connect(server.port(), batch()), 200);
    client.upload(small_video());
    ASSERT_TRUE(client.wait_results(1));
    ASSERT_TRUE(client.say(R"({"ack": 1})"));
    ASSERT_TRUE(client.wait_results(30));
    ASSERT_TRUE(client.say(R"({"ack": 30})"));
    ASSERT_TRUE(client.wait_completion());
    // It is to have 10 s for its next word.
    server.process().signal(SIGTERM);
    EXPECT_EQ(server.process().wait_for_exit(), 0) << server.process().errors();
    const Event end = server.wait_for_end(1);
    EXPECT_NE(end.code, "crashed") << end.message;
  }
}

TEST_P(SessionTest, AClientThatVanishesAmidTheAnalysisIsNoticed) {
  Server server(isolation(), kSlow);
  WorkerClient client;
  ASSERT_EQ(client.connect(server.port(), batch()), 200);
  client.upload(video());
  ASSERT_TRUE(client.wait_results(1));
  client.vanish();
  const Event end = server.wait_for_end(1);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.code, "peer-gone");
  EXPECT_LT(end.frames, kFrames);
}

}  // namespace
}  // namespace webrtcupload
