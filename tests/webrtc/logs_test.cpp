// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the log says at level 5 (DEBUG): a channel that is left alone explains itself, and so does
// an upload that is lost between two starts. Each line names its element.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "results/results_fixture.h"
#include "sending/sink_fixture.h"
#include "support/log.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::UnorderedElementsAre;

// Where GStreamer puts pictures of pipelines.
const char* pictures_folder() {
  const char* folder = g_getenv("GST_DEBUG_DUMP_DOT_DIR");
  EXPECT_TRUE(folder) << "the environment of this test names a folder";
  return folder ? folder : "/nonexistent";
}

void forget_pictures() {
  std::filesystem::remove_all(pictures_folder());
  std::filesystem::create_directories(pictures_folder());
}

// Their names, of all that were made since.
std::vector<std::string> new_pictures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(pictures_folder())) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

std::string elements_document() {
  std::ifstream file(ELEMENTS_DOCUMENT);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// With a word for how much waits in a channel at that moment.
std::string without_what_waits(const std::string& line) {
  static const std::regex pattern("[0-9]+ bytes wait in the channel$");
  return std::regex_replace(line, pattern, "... bytes wait in the channel");
}

class Logs : public testing::Test {
 protected:
  // Before the end of the log: what still runs then would write to it.
  void TearDown() override {
    receiver_.reset();
    EXPECT_TRUE(log_.names_everybody());
  }
  void start(const std::string& properties = "") {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties);
    receiver_->play();
  }

  Log log_;
  PeerPair pair_{{.observe_incoming = false}};
  std::unique_ptr<ReceivingPipeline> receiver_;
};

TEST_F(Logs, AChannelOfAnotherLabelIsLeftAloneWithAReason) {
  start("channel-label=films");
  ASSERT_TRUE(pair_.connect("video_upload").channel);
  EXPECT_TRUE(log_.says({"upload: ", "left alone", "\"video_upload\"", "\"films\""}));
}

TEST_F(Logs, AChannelOfAProtocolThatIsNotKnownIsLeftAloneWithAReason) {
  start();
  ASSERT_TRUE(pair_.connect("other").channel);
  const GstStructurePtr options(
      gst_structure_new("options", "protocol", G_TYPE_STRING, "webrtcupload.v9", nullptr));
  const auto channel =
      pair_.create_channel("video_upload", PeerPair::Side::kOfferer, options.get());
  EXPECT_TRUE(log_.says({"upload: ", "left alone", "webrtcupload.v9"}));
}

TEST_F(Logs, ASecondChannelIsLeftAloneWithAReason) {
  start();
  ASSERT_TRUE(pair_.connect().channel);
  EXPECT_TRUE(log_.says({"upload: ", "taken", "\"video_upload\""}));
  const auto second = pair_.create_channel("video_upload");
  EXPECT_TRUE(log_.says({"upload: ", "left alone", "has a channel"}));
}

TEST_F(Logs, EachStateAndTheEndAreTold) {
  start();
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_file(channel.channel.get(), random_bytes(3'000), 1'000));
  ASSERT_TRUE(receiver_->wait_eos());
  for (const char* state : {"uploading", "complete", "processing", "done"}) {
    EXPECT_TRUE(log_.says({"upload: ", std::string("state ") + state}));
  }
  EXPECT_TRUE(log_.says({"upload: ", "receive buffers"}));
  EXPECT_TRUE(log_.says({"upload: ", "spool"}));
}

TEST_F(Logs, AnUploadThatIsLostBetweenTwoStartsSaysWhy) {
  start();
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 2, random_bytes(1'000)));
  ASSERT_TRUE(eventually([&] { return receiver_->state() == "uploading"; }));
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_READY),
            GST_STATE_CHANGE_FAILURE);
  EXPECT_TRUE(log_.says({"upload: ", "not kept", "data-channel"}));
}

TEST_F(Logs, AFailureLeavesAPictureOfBothPipelines) {
  forget_pictures();
  start();
  ASSERT_TRUE(pair_.connect().channel);
  g_signal_emit_by_name(receiver_->upload(), "cancel");
  EXPECT_EQ(receiver_->wait_error().code, "cancelled");
  EXPECT_THAT(new_pictures(), UnorderedElementsAre("upload-failed.dot", "upload-failed-peer.dot"));
}

TEST_F(Logs, WhatIsDecidedOnTheWayIsTold) {
  start("idle-timeout=7000000000 max-size=1234567 socket-buffer-size=100000");
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_file(channel.channel.get(), random_bytes(3'000), 1'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_TRUE(log_.says({"session upload: ", "limits", "max-size 1234567", "idle-timeout 7 s"}));
  EXPECT_TRUE(log_.says({"session upload: ", "idle-timeout (7 s)", "upload-timeout (none)"}));
  EXPECT_TRUE(log_.says({"session upload: ", "authorize: yes, check-quota: yes"}));
  EXPECT_TRUE(log_.says({"session upload: ", "100000 bytes asked for"}));
  EXPECT_TRUE(log_.says({"session upload: ", "can be held back"}));
  EXPECT_TRUE(log_.says({"webrtcuploadpeer ", "pc: ", "certificate is compared"}));
}

TEST_F(Logs, ACertificateThatIsNotComparedIsTold) {
  start("check-certificate=false");
  ASSERT_TRUE(pair_.connect().channel);
  EXPECT_TRUE(log_.says({"session upload: ", "not compared", "check-certificate is off"}));
}

TEST_F(Logs, AFailureIsToldWithItsCode) {
  start();
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_chunk(channel.channel.get(), 3, 2, random_bytes(10)));
  EXPECT_TRUE(log_.says({"session upload: ", "failed: bad-index: "}));
  EXPECT_TRUE(log_.says({"session upload: ", "state error"}));
}

// What a peer says is one line, and no longer than a line.
TEST_F(Logs, APeersWordsAreCleanedAndCut) {
  start();
  ASSERT_TRUE(pair_.connect(("a\nb\x1b[2J" + std::string(1'000, 'x')).c_str()).channel);
  EXPECT_TRUE(log_.says({"session upload: ", "left alone", "\"a?b?[2Jxxx", "(1007 bytes)"}));
  for (const std::string& line : log_.lines()) EXPECT_LT(line.size(), 500U) << line;
}

class SinkLogs : public SinkOverAChannel {
 protected:
  Log log_{6};
};

TEST_F(SinkLogs, AnUploadIsToldFromItsChannelToItsEnd) {
  expect_upload(random_bytes(100'000), 100'000);
  const std::string sink = "webrtcuploadsink sink: ";
  EXPECT_TRUE(log_.says({sink, "the application's channel \"video_upload\""}));
  EXPECT_TRUE(log_.says({sink, "uploading 100000 bytes in 3 chunks"}));
  EXPECT_TRUE(log_.says({sink, "chunk 3 of 3 is sent"}));
  EXPECT_TRUE(log_.says({sink, "the peer has 30 s to confirm"}));
  EXPECT_TRUE(log_.says({sink, "complete: 100000 bytes, which the peer has confirmed"}));
  EXPECT_TRUE(log_.says({sink, "stops: everything was sent"}));
  EXPECT_TRUE(log_.names_everybody());
}

TEST_F(SinkLogs, AnUploadIsToldAsInTheDocument) {
  expect_upload(random_bytes(100'000), 100'000);
  std::vector<std::string> said;
  for (const std::string& line : log_.printed()) {
    if (line.find(" webrtcuploadsink ") != std::string::npos) {
      said.push_back(without_what_waits(line));
    }
  }
  std::vector<std::string> shown;
  std::istringstream document(elements_document());
  for (std::string line; std::getline(document, line);) {
    if (line.find(" webrtcuploadsink <sink> ") != std::string::npos) {
      shown.push_back(without_what_waits(line));
    }
  }
  EXPECT_THAT(said, ElementsAreArray(shown));
}

TEST_F(SinkLogs, AFailureIsToldAndDrawn) {
  forget_pictures();
  Upload upload(near_);
  upload.announce(1'000);
  upload.play();
  upload.push(random_bytes(10));
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
  EXPECT_TRUE(log_.says({"webrtcuploadsink ", "sink: ", "failed: size-mismatch: "}));
  EXPECT_THAT(new_pictures(), ElementsAre("sink-failed.dot"));
}

class ResultLogs : public ResultsTest {
 protected:
  void TearDown() override {
    ResultsTest::TearDown();
    EXPECT_TRUE(log_.names_everybody());
  }
  Log log_{6};
};

TEST_F(ResultLogs, ResultsAreToldFromTheirChannelToTheirEnd) {
  run(videotestsrc(2) + " ! webrtcresultsink name=results");
  const auto other = peers_.create_channel("other");
  ASSERT_TRUE(wait_end());
  const std::string results = "webrtcuploadresults results: ";
  EXPECT_TRUE(log_.says({results, "waits for a channel \"inference\" of pc"}));
  EXPECT_TRUE(log_.says({results, "channel \"inference\" taken"}));
  EXPECT_TRUE(log_.says({results, "channel \"other\" left alone", "\"inference\""}));
  EXPECT_TRUE(log_.says({results, "peer open"}));
  EXPECT_TRUE(log_.says({results, "result 2 of ", " sent"}));
  for (const char* state : {"ending", "concluding", "completed", "closing"}) {
    EXPECT_TRUE(log_.says({results, std::string("state ") + state}));
  }
  EXPECT_TRUE(log_.says({results, "2 results: delivered"}));
}

TEST_F(ResultLogs, WhatAPeerSaysInVainIsToldWithAReason) {
  run(videotestsrc(1) + " ! webrtcresultsink name=results");
  client_->say("{\"ack\": 99}");
  const Bytes bytes{'s', 'e', 'c', 'r', 'e', 't'};
  ASSERT_TRUE(send_bytes(client_->channel(), bytes));
  const std::string results = "webrtcuploadresults results: ";
  EXPECT_TRUE(log_.says({results, "acknowledgement of 99 ignored"}));
  EXPECT_TRUE(log_.says({results, "binary message ignored"}));
  EXPECT_TRUE(log_.keeps_secret("secret"));
  ASSERT_TRUE(wait_end());
}

// The picture is there before the warning is.
TEST_F(ResultLogs, APeerThatLeavesIsDrawn) {
  forget_pictures();
  run("appsrc name=source format=time caps=text/x-raw,format=utf8 ! "
      "webrtcresultsink name=results");
  // A channel that is closed before webrtcbin has announced it is never announced.
  ASSERT_TRUE(log_.says({"webrtcuploadresults ", "channel \"inference\" taken"}));
  client_->close();
  ASSERT_TRUE(bus().wait(GST_MESSAGE_WARNING));
  EXPECT_THAT(new_pictures(), ElementsAre("results-failed.dot"));
}

// Each category is in the document, and the document has no other.
TEST(LogCategories, AreThoseOfTheDocument) {
  const std::string document = elements_document();
  const std::size_t begin = document.find("\n| category |");
  ASSERT_NE(begin, std::string::npos);
  const std::string table = document.substr(begin, document.find("\n\n", begin) - begin);
  std::set<std::string> told;
  for (std::size_t at = 0; (at = table.find("\n| `", at)) != std::string::npos;) {
    at += 4;
    told.insert(table.substr(at, table.find('`', at) - at));
  }
  // The element's plugin makes all of them.
  const GstPtr<GstElement> upload(gst_element_factory_make("webrtcupload", nullptr));
  ASSERT_TRUE(upload);
  std::set<std::string> made;
  GSList* all = gst_debug_get_all_categories();
  for (const GSList* item = all; item; item = item->next) {
    const std::string name =
        gst_debug_category_get_name(static_cast<GstDebugCategory*>(item->data));
    if (name.starts_with("webrtc") && name.find("upload") != std::string::npos) made.insert(name);
    // What the pattern of the document would miss.
    EXPECT_FALSE(name.starts_with("webrtcresult")) << name;
  }
  g_slist_free(all);
  EXPECT_EQ(made, told);
}

}  // namespace
}  // namespace webrtcupload::test
