// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the log says at level 5 (DEBUG): a channel that is left alone explains itself, and so does
// an upload that is lost between two starts. Each line names its element.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/log.h"
#include "webrtc/results_fixture.h"
#include "webrtc/sink_fixture.h"
#include "webrtc/upload_witness.h"

namespace webrtcupload::test {
namespace {

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
  const char* folder = g_getenv("GST_DEBUG_DUMP_DOT_DIR");
  ASSERT_TRUE(folder) << "the environment of this test names a folder";
  std::filesystem::create_directories(folder);
  const auto pictures = [folder] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  };
  for (const std::string& name : pictures()) {
    std::filesystem::remove(std::filesystem::path(folder) / name);
  }
  start();
  ASSERT_TRUE(pair_.connect().channel);
  g_signal_emit_by_name(receiver_->upload(), "cancel");
  EXPECT_EQ(receiver_->wait_error().code, "cancelled");
  EXPECT_EQ(pictures().size(), 2U);
  for (const std::string& name : pictures()) {
    EXPECT_NE(name.find("upload-failed"), std::string::npos) << name;
  }
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

// The names of the pictures that were made meanwhile.
std::vector<std::string> new_pictures(const std::string& of) {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(g_getenv("GST_DEBUG_DUMP_DOT_DIR"))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(of + "-failed")) names.push_back(name);
  }
  return names;
}

void forget_pictures() {
  const char* folder = g_getenv("GST_DEBUG_DUMP_DOT_DIR");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
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
  EXPECT_EQ(new_pictures("sink").size(), 1U);
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

// Each category is in the document, and the document has no other.
TEST(LogCategories, AreThoseOfTheDocument) {
  std::ifstream file(ELEMENTS_DOCUMENT);
  const std::string document{std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>()};
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
