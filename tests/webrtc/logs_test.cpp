// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the log says at level 5 (DEBUG): a channel that is left alone explains itself, and so does
// an upload that is lost between two starts. Each line names its element.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "webrtc/upload_witness.h"

namespace webrtcupload::test {
namespace {

// The lines of our categories, with "name of the object: " before each, while it lives.
class Log {
 public:
  Log() {
    gst_debug_set_threshold_from_string("*:0,webrtcupload*:5", TRUE);
    // The function and not the macro of this name, which compares pointers as C++ does not.
    (gst_debug_add_log_function)(on_line, this, nullptr);
  }
  ~Log() {
    gst_debug_remove_log_function_by_data(this);
    gst_debug_set_threshold_from_string("*:1", TRUE);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Until there is a line that has all of these in it, as written.
  [[nodiscard]] testing::AssertionResult says(const std::vector<std::string>& words) const {
    const auto found = [&] {
      const std::lock_guard lock(mutex_);
      for (const std::string& line : lines_) {
        std::size_t count = 0;
        for (const std::string& word : words) count += line.find(word) != std::string::npos;
        if (count == words.size()) return true;
      }
      return false;
    };
    if (eventually(found)) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "no such line among";
    const std::lock_guard lock(mutex_);
    for (const std::string& line : lines_) failure << "\n  " << line;
    return failure;
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  static void on_line(GstDebugCategory* category, GstDebugLevel, const char*, const char*, int,
                      GObject* object, GstDebugMessage* message, gpointer self) {
    const std::string name = gst_debug_category_get_name(category);
    if (!name.starts_with("webrtcupload")) return;
    std::string line = name + " ";
    if (const char* id = gst_debug_message_get_id(message)) {
      line += id;
    } else if (GST_IS_OBJECT(object)) {
      const GCharPtr path(gst_object_get_path_string(GST_OBJECT(object)));
      line += path.get();
    } else if (object) {
      line += G_OBJECT_TYPE_NAME(object);
    } else {
      line += "nobody";
    }
    line += ": " + std::string(gst_debug_message_get(message));
    auto& log = *static_cast<Log*>(self);
    const std::lock_guard lock(log.mutex_);
    log.lines_.push_back(std::move(line));
  }

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class Logs : public testing::Test {
 protected:
  // Before the end of the log: what still runs then would write to it.
  void TearDown() override {
    receiver_.reset();
    for (const std::string& line : log_.lines()) {
      EXPECT_EQ(line.find("nobody"), std::string::npos) << line;
    }
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

}  // namespace
}  // namespace webrtcupload::test
