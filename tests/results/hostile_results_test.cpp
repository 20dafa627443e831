// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients of the results channel that acknowledge what they were never sent, acknowledge without an
// end, and say everything but what is an acknowledgement. (What single texts are is in
// result_window_test.cpp and json_text_test.cpp.)

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "results/result_client.h"
#include "results/result_sender.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {
namespace {

class HostileResults : public testing::Test {
 protected:
  void SetUp() override {
    ResultSettings settings;
    settings.channel_timeout = std::chrono::hours(1);
    settings.linger = std::chrono::hours(1);
    ResultEvents events;
    events.control = [this](const std::string&) { ++controls_; };
    events.finished = [this](const Delivery& delivery) {
      const std::lock_guard lock(mutex_);
      deliveries_.push_back(delivery);
      changed_.notify_all();
    };
    sender_ = ResultSender::create(settings, std::move(events));
    ASSERT_TRUE(peers_.start());
    sender_->attach(peers_.answerer());
    client_ = std::make_unique<ResultClient>(peers_);
    ASSERT_TRUE(peers_.negotiate());
    ASSERT_TRUE(client_->observer().wait_open());
  }
  void TearDown() override {
    sender_->cancel("cancelled", {}, kPrompt, true);
    sender_.reset();
  }

  void send_results(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const GstBufferPtr buffer(gst_buffer_new_allocate(nullptr, 1, nullptr));
      ASSERT_TRUE(sender_->send_frame(buffer.get(), {}, {}, {}));
    }
  }
  // Everything that the client has said by now has been read, when this comes back.
  void wait_read(std::uint64_t messages) {
    EXPECT_TRUE(eventually([&] {
      const ResultStats stats = sender_->stats();
      return stats.rejected + stats.control == messages;
    })) << sender_->stats().rejected
        << " and " << sender_->stats().control;
  }
  // One end, with all of `results` and the completion.
  void expect_one_end(std::size_t results) {
    sender_->finish("", {});
    ASSERT_TRUE(client_->wait_completion());
    client_->close();
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kDeadline, [this] { return !deliveries_.empty(); }));
    EXPECT_TRUE(deliveries_.front().complete);
    EXPECT_EQ(deliveries_.size(), 1U);
    EXPECT_EQ(client_->count(), results + 1);
  }

  PeerPair peers_{{.observe_incoming = false}};
  std::shared_ptr<ResultSender> sender_;
  std::unique_ptr<ResultClient> client_;
  std::atomic<int> controls_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Delivery> deliveries_;
};

TEST_F(HostileResults, AcknowledgementsOfWhatWasNotSentChangeNothing) {
  const std::vector<std::string> odd{
      R"({"ack": 1})",
      R"({"ack": -1})",
      R"({"ack": 4294967297})",
      R"({"ack": 2147483648})",
      R"({"ack": 1e300})",
      R"({"ack": 9223372036854775808})",
      R"({"ack": "1"})",
      R"({"ack": [1]})",
      R"({"ack": {"ack": 1}})",
      R"({"ack")",
      R"([{"ack": 1}])",
      R"({"ack": 1}{"ack": 1})",
      R"({"ack": 0.5})",
      R"({"ack": 60, "ack": 70})",
      "null",
  };
  // Before anything was sent.
  for (const std::string& text : odd) client_->say(text);
  wait_read(odd.size());
  EXPECT_FALSE(sender_->stats().acked);
  // Nobody is held back by them: more than the window.
  send_results(50);
  client_->ack(51);
  for (const std::string& text : odd) {
    if (text != odd.front()) client_->say(text);
  }
  wait_read(2 * odd.size());
  EXPECT_FALSE(sender_->stats().acked);
  // A true one counts.
  client_->ack(50);
  EXPECT_TRUE(eventually([&] { return sender_->stats().acked == 50U; }));
  send_results(1);
  expect_one_end(51);
}

TEST_F(HostileResults, AFloodOfAcknowledgementsHoldsUpNothing) {
  constexpr int kFlood = 20'000;
  send_results(3);
  for (int i = 0; i < kFlood; ++i) {
    client_->say(i % 2 == 0 ? R"({"ack": 2})" : R"({"ack": 4000000000})");
    if (i % 500 == 0) {
      ASSERT_TRUE(eventually([&] { return client_->observer().buffered_amount() < 100'000; }));
    }
  }
  // The first one has counted.
  wait_read(kFlood - 1);
  EXPECT_EQ(sender_->stats().acked, 2U);
  EXPECT_EQ(sender_->stats().control, 0U);
  EXPECT_EQ(controls_, 0);
  send_results(2);
  expect_one_end(5);
}

}  // namespace
}  // namespace webrtcupload::test
