// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an analyser says as GstAnalytics metas, as the server's operator and its client read it: in
// the lines of serve and in results, behind a scaler.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>

#include "server.h"
#include "support/run_to_end.h"
#include "support/turned_box.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::Server;
using test::WorkerClient;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kFrames = 3;
// Twice as large as the analyser saw them.
constexpr const char* kPipeline =
    "decodebin ! videoconvert ! testanalytics ! queue ! videoscale ! "
    "video/x-raw,width=128,height=96 "
    "! fakesink sync=false";

class AnalyticsServer : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory_ = mkdtemp(name);
    ASSERT_TRUE(test::run_to_end(
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,framerate=25/1,width=64,height=48 ! x264enc speed-preset=ultrafast "
        "! mp4mux ! filesink location=" +
        film()));
  }
  void TearDown() override { fs::remove_all(directory_); }
  [[nodiscard]] std::string film() const { return directory_ + "/film.mp4"; }

  std::string directory_;
};

TEST_F(AnalyticsServer, ResultsAndLinesHaveTracksClassesPartsAndAngles) {
  const bool turned = test::turned_box_function() != nullptr;
  Server server({}, kPipeline);
  WorkerClient client;
  WorkerRequest request;
  request.realtime = false;
  request.stream_output = std::vector<std::string>{};
  request.data_output = std::vector<std::string>{"*"};
  ASSERT_EQ(client.connect(server.port(), request), 200);
  client.upload(film());
  ASSERT_TRUE(client.wait_closed());

  const auto results = client.results();
  ASSERT_EQ(results.size(), kFrames + 1);
  const std::regex uuid("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
  for (std::size_t i = 0; i < kFrames; ++i) {
    const std::string& text = results[i].text;
    std::smatch id;
    ASSERT_TRUE(std::regex_search(text, id, uuid)) << text;
    const std::string anonymous = std::regex_replace(text, uuid, "ID");
    EXPECT_THAT(anonymous,
                HasSubstr(R"({"x":64,"y":32,"width":64,"height":32,"confidence":0.75,"class_id":0,)"
                          R"("class":"car","detection_id":"ID","tracker_id":7,"classifications":[)"
                          R"({"class":"red","class_id":1,"confidence":0.625}]})"));
    EXPECT_THAT(text, HasSubstr("\"parent_id\":\"" + id.str() + "\""));
    EXPECT_THAT(anonymous,
                HasSubstr(R"({"x":48,"y":44,"width":16,"height":8,"confidence":0.5,"class_id":2,)"
                          R"("class":"plate","detection_id":"ID","parent_id":"ID"})"));
    const auto ship =
        HasSubstr(R"({"x":96,"y":68,"width":16,"height":32,"confidence":0.25,"class_id":3,)"
                  R"("class":"ship","detection_id":"ID","angle":90,"points":[{"x":104,"y":52},)"
                  R"({"x":104,"y":84},{"x":88,"y":84},{"x":88,"y":52}]})");
    if (turned) {
      EXPECT_THAT(anonymous, ship);
    } else {
      EXPECT_THAT(anonymous, Not(HasSubstr("ship")));
    }
  }

  EXPECT_EQ(server.wait_for_end(1).status, "done");
  const auto lines = server.frames_of(1);
  ASSERT_EQ(lines.size(), kFrames);
  for (const test::Event& line : lines) {
    EXPECT_THAT(line.text, HasSubstr(R"({"class":"car","x":64,"y":32,"width":64,"height":32,)"
                                     R"("confidence":0.75,"tracker_id":7,"classifications":[)"
                                     R"({"class":"red","confidence":0.625}]},)"
                                     R"({"class":"plate","x":48,"y":44,"width":16,"height":8,)"
                                     R"("confidence":0.5,"parent":0})"));
    if (!turned) continue;
    EXPECT_THAT(line.text, HasSubstr(R"({"class":"ship","x":96,"y":68,"width":16,"height":32,)"
                                     R"("confidence":0.25,"angle":90,"points":[{"x":104,"y":52},)"
                                     R"({"x":104,"y":84},{"x":88,"y":84},{"x":88,"y":52}]})"));
  }
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
