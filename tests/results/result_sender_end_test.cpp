// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ResultSender over a real connection: how it ends, by its own side or by the peer.

#include <gmock/gmock.h>

#include <filesystem>
#include <future>
#include <mutex>

#include "results/result_sender_fixture.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using testing::ElementsAre;
using testing::HasSubstr;

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
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
  const auto delivery = wait_end();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_FALSE(send()) << "after the end";
}

TEST_F(ResultSenderTest, AfterTheCompletionTheChannelIsClosed) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.linger = std::chrono::milliseconds(1);
  connect(settings);
  EXPECT_TRUE(send());
  sender_->finish("", {});
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.messages, 2U);
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultSenderTest, TheEndWithoutAChannelSaysSo) {
  ResultSettings settings;
  settings.channel_timeout = std::chrono::milliseconds(1);
  make_sender(settings);
  sender_->finish("", {});
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_FALSE(delivery->complete);
  EXPECT_THAT(delivery->problem, HasSubstr("opened no channel \"inference\""));
}

TEST_F(ResultSenderTest, TheEndWaitsForTheLastAcknowledgement) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.ack_timeout = kForever;
  settings.linger = std::chrono::milliseconds(1);
  connect(settings);
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_TRUE(send(i));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  for (std::uint32_t i = 2; i < 5; ++i) {
    client_->ack(i);
    ASSERT_TRUE(eventually([&] { return sender_->stats().acked == i; }, kDeadline));
    EXPECT_EQ(client_->observer().ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
  }
  client_->ack(5);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.acked, 5U);
  EXPECT_TRUE(client_->wait_closed());
}

// Who acknowledges every message does so with the last one as well.
TEST_F(ResultSenderTest, AnAcknowledgementOfTheCompletionEndsTheWait) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.ack_timeout = kForever;
  settings.linger = kForever;
  connect(settings);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(send(i));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  client_->ack(5);  // Which there is not.
  client_->ack(4);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.acked, 4U);
  EXPECT_EQ(delivery->stats.rejected, 1U);
}

TEST_F(ResultSenderTest, ASlowPeerIsWaitedForWhileItGetsOn) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.ack_timeout = std::chrono::milliseconds(2000);
  settings.linger = std::chrono::milliseconds(1);
  connect(settings);
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_TRUE(send(i));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  // It takes half of the time for each of them, and much more for all.
  for (std::uint32_t i = 2; i <= 6; ++i) {
    std::this_thread::sleep_for(settings.ack_timeout / 2);
    client_->ack(i);
  }
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->stats.acked, 6U);
}

TEST_F(ResultSenderTest, APeerThatStopsAcknowledgingIsNotWaitedForLong) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.ack_timeout = std::chrono::milliseconds(100);
  settings.linger = kForever;
  connect(settings);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(send(i));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  // From here on it is one that acknowledges.
  client_->ack(1);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->stats.acked, 1U);
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultSenderTest, RealtimeWaitsForTheLastAcknowledgementToo) {
  keep_linger_ = true;
  ResultSettings settings;
  settings.realtime = true;
  settings.ack_timeout = kForever;
  settings.linger = std::chrono::milliseconds(1);
  connect(settings);
  EXPECT_TRUE(send(0));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  EXPECT_TRUE(send(1));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  client_->ack(2);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->stats.acked, 2U);
}

TEST_F(ResultSenderTest, WhoHasAcknowledgedEverythingMayEndTheConnection) {
  connect();
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(1));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  peers_.close_connection(Side::kOfferer);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
}

TEST_F(ResultSenderTest, AHurriedEndLeavesAMomentOnly) {
  connect();  // Which would linger forever.
  EXPECT_TRUE(send());
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  sender_->hurry();
  ASSERT_TRUE(wait_finished());
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultSenderTest, AHurriedEndDoesNotWaitForAcknowledgements) {
  ResultSettings settings;
  settings.ack_timeout = kForever;
  connect(settings);
  EXPECT_TRUE(send(0));
  EXPECT_TRUE(send(1));
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  sender_->finish("", {});
  sender_->hurry();
  ASSERT_TRUE(wait_finished());
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultSenderTest, FinishInterruptsAWaitAndStillDelivers) {
  ResultSettings settings;
  settings.ack_window = 1;
  connect(settings);
  EXPECT_TRUE(send());
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  EXPECT_TRUE(send());
  auto third = std::async(std::launch::async, [this] { return send(); });
  ASSERT_TRUE(eventually([this] { return sender_->stats().last_frame_id == 3; }, kDeadline));
  sender_->finish("timeout_reached", {"too slow"});
  EXPECT_FALSE(third.get());
  const auto delivery = wait_end();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.dropped, 1U);
  EXPECT_THAT(header_ids(client_->results()), ElementsAre(1, 2, 4));
}

// Peers that leave.

TEST_F(ResultSenderTest, APeerThatClosesTheChannelIsGone) {
  connect();
  EXPECT_TRUE(send());
  client_->close();
  ASSERT_TRUE(wait([this] { return gone_.has_value(); }));
  EXPECT_THAT(*gone_, HasSubstr("closed"));
  EXPECT_FALSE(send());
  sender_->finish("", {});
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_FALSE(delivery->complete);
}

TEST_F(ResultSenderTest, APeerThatLeavesInterruptsAWait) {
  ResultSettings settings;
  settings.ack_window = 1;
  connect(settings);
  EXPECT_TRUE(send());
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  EXPECT_TRUE(send());
  auto third = std::async(std::launch::async, [this] { return send(); });
  ASSERT_TRUE(eventually([this] { return sender_->stats().last_frame_id == 3; }, kDeadline));
  peers_.close_connection(Side::kOfferer);
  EXPECT_FALSE(third.get());
  EXPECT_TRUE(wait([this] { return gone_.has_value(); }));
}

TEST_F(ResultSenderTest, APeerThatLeavesWhileTheEndIsDeliveredIsNotWaitedFor) {
  connect();
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(1));
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  peers_.close_connection(Side::kOfferer);
  const auto delivery = wait_finished();
  ASSERT_TRUE(delivery);
  EXPECT_FALSE(delivery->complete);
}

// Ends.

TEST_F(ResultSenderTest, CancelSaysSoAndCloses) {
  connect();
  EXPECT_TRUE(send());
  sender_->cancel("cancelled", {"stopped"}, kDeadline, false);
  EXPECT_EQ(sender_->stats().messages, 2U);
  EXPECT_TRUE(client_->wait_closed());
  EXPECT_FALSE(send());
  // Again, and after it, nothing happens.
  sender_->cancel("cancelled", {}, kDeadline, true);
  sender_->finish("", {});
  EXPECT_EQ(sender_->stats().messages, 2U);
  sender_.reset();
  const std::lock_guard lock(mutex_);
  EXPECT_FALSE(delivery_);
}

TEST_F(ResultSenderTest, CancelDuringTheEndCutsItShort) {
  connect();  // Which would linger forever.
  EXPECT_TRUE(send());
  sender_->finish("", {});
  ASSERT_TRUE(client_->wait_completion());
  sender_->cancel("cancelled", {}, kDeadline, false);
  EXPECT_TRUE(client_->wait_closed());
  EXPECT_EQ(header_ids(client_->results()), count_to(2)) << "one completion";
}

TEST_F(ResultSenderTest, TheEndMayComeInsideAHandler) {
  connect();
  std::promise<void> ended;
  {
    const std::lock_guard lock(mutex_);
    on_control_ = [&] {
      sender_.reset();
      ended.set_value();
    };
  }
  client_->say("{}");
  EXPECT_EQ(ended.get_future().wait_for(kDeadline), std::future_status::ready);
}

TEST_F(ResultSenderTest, TheEndDoesNotWaitForAHandlerThatWaitsForIt) {
  connect();
  std::promise<void> release;
  std::promise<void> ended;
  std::promise<void> left;
  {
    const std::lock_guard lock(mutex_);
    on_control_ = [&] {
      ended.get_future().wait();
      left.set_value();
    };
  }
  client_->say("{}");
  ASSERT_TRUE(wait([this] { return !control_.empty(); }));
  sender_.reset();
  ended.set_value();
  EXPECT_EQ(left.get_future().wait_for(kDeadline), std::future_status::ready);
}

TEST_F(ResultSenderTest, ComesAndGoesWithoutAThread) {
  const std::size_t before = thread_count();
  for (int i = 0; i < 50; ++i) {
    const auto sender = ResultSender::create({}, {});
    sender->attach(peers_.answerer());
    if (i % 2 == 0) sender->finish("", {});
  }
  EXPECT_TRUE(eventually([&] { return thread_count() <= before; }, kDeadline));
}

}  // namespace
}  // namespace webrtcupload::test
