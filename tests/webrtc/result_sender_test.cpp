// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ResultSender over a real connection: what arrives, what waits, and how it ends.

#include "gst/result_sender.h"

#include <gmock/gmock.h>
#include <gst/video/video.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "support/peer_pair.h"
#include "webrtc/result_client.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::seconds kForever{3600};

std::vector<std::uint32_t> count_to(std::uint32_t last) {
  std::vector<std::uint32_t> ids(last);
  std::iota(ids.begin(), ids.end(), 1U);
  return ids;
}

GstVideoInfo video(int width = 320, int height = 240) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, static_cast<guint>(width),
                            static_cast<guint>(height));
  info.fps_n = 25;
  info.fps_d = 1;
  return info;
}

GstBufferPtr frame(std::uint32_t number = 0, std::size_t size = 1) {
  GstBufferPtr buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(buffer.get(), 0, 128, size);
  GST_BUFFER_PTS(buffer.get()) = 40 * GST_MSECOND * number;
  return buffer;
}

// A text of that many bytes makes a result a little larger than that.
std::vector<Detection> detection_with_text(std::size_t bytes) {
  return {{"thing", Box{1, 2, 3, 4}, 0.5, std::string(bytes, 'x')}};
}

// The sender at the answering side, a client at the other, and what the sender's events said.
class ResultSenderTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(peers_.start()); }

  void TearDown() override {
    if (client_) client_->set_stuck(false);
    // As an application has to that stops a webrtcbin with something unsent.
    if (sender_) sender_->cancel("cancelled", {}, std::chrono::milliseconds(100), true);
    sender_.reset();
  }

  void make_sender(ResultSettings settings = {}) {
    ResultEvents events;
    events.control = [this](const std::string& text) {
      std::function<void()> handler;
      {
        const std::lock_guard lock(mutex_);
        control_.push_back(text);
        handler = on_control_;
        changed_.notify_all();
      }
      if (handler) handler();
    };
    events.gone = [this](const std::string& why) {
      const std::lock_guard lock(mutex_);
      gone_ = why;
      changed_.notify_all();
    };
    events.finished = [this](const Delivery& delivery) {
      const std::lock_guard lock(mutex_);
      delivery_ = delivery;
      changed_.notify_all();
    };
    sender_ = ResultSender::create(std::move(settings), std::move(events));
    sender_->attach(peers_.answerer());
  }

  // Sender and client, connected.
  void connect(ResultSettings settings = {}) {
    make_sender(std::move(settings));
    client_ = std::make_unique<ResultClient>(peers_);
    ASSERT_TRUE(peers_.negotiate());
    ASSERT_TRUE(client_->observer().wait_open());
  }

  bool send(std::uint32_t number = 0, const std::vector<Detection>& detections = {}) {
    const GstBufferPtr buffer = frame(number);
    return sender_->send_frame(buffer.get(), info_, detections);
  }

  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, condition);
  }
  std::optional<Delivery> wait_finished() {
    wait([this] { return delivery_.has_value(); });
    const std::lock_guard lock(mutex_);
    return delivery_;
  }

  PeerPair peers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> control_;
  std::function<void()> on_control_;
  std::optional<std::string> gone_;
  std::optional<Delivery> delivery_;
  std::shared_ptr<ResultSender> sender_;
  std::unique_ptr<ResultClient> client_;
  GstVideoInfo info_ = video();
};

TEST_F(ResultSenderTest, EachFrameOnceInOrderThenTheCompletionThenTheChannelCloses) {
  connect();
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(send(i, {{"face", Box{i + 0.5, 2, 3, 4}, std::nullopt, ""}}));
  }
  sender_->finish("", {});
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.sent, 100U);
  EXPECT_EQ(delivery->stats.dropped, 0U);
  EXPECT_TRUE(client_->wait_closed());

  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(101));
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto& result = results[i];
    EXPECT_FALSE(result.is_completion());
    EXPECT_EQ(json_integer(result.metadata(), "frame_id"), i + 1);
    EXPECT_EQ(json_integer(result.metadata(), "pts"), i * 3600);
    EXPECT_EQ(json_integer(result.metadata(), "width"), 320);
    EXPECT_EQ(json_number(result.metadata(), "declared_fps"), 25);
    const auto predictions = result.predictions();
    ASSERT_EQ(predictions.size(), 1U);
    EXPECT_EQ(json_number(predictions[0], "x"), i + 0.5);
    EXPECT_EQ(json_string(predictions[0], "class"), "face");
  }
  EXPECT_EQ(results[100].text,
            R"({"serialized_output_data":null,"video_metadata":null,"errors":[],)"
            R"("processing_complete":true,"termination_reason":null})");
}

TEST_F(ResultSenderTest, ResultsLargerThanOneMessageArriveWhole) {
  connect();
  EXPECT_TRUE(send(0, detection_with_text(3 * 49152)));
  EXPECT_TRUE(send(1));
  ASSERT_TRUE(client_->wait_results(2));
  const auto results = client_->results();
  EXPECT_EQ(header_ids(results), count_to(2));
  EXPECT_EQ(json_string(results[0].predictions().at(0), "text"), std::string(3 * 49152, 'x'));
}

TEST_F(ResultSenderTest, TheReasonAndTheErrorsOfTheEnd) {
  connect();
  sender_->finish("idle-timeout", {"no new chunk for 30 s", "really"});
  // The first one counts.
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(1));
  EXPECT_EQ(json_string(results[0].object(), "termination_reason"), "idle-timeout");
  EXPECT_THAT(results[0].errors(), ElementsAre("no new chunk for 30 s", "really"));
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_FALSE(send()) << "after the end";
}

TEST_F(ResultSenderTest, AClientThatClosesAtTheCompletionHasEverything) {
  ResultSettings settings;
  settings.linger = kForever;  // Ended by the client.
  connect(settings);
  EXPECT_TRUE(send());
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  client_->close();
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
}

}  // namespace
}  // namespace webrtcupload::test
