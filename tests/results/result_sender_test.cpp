// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ResultSender over a real connection: what arrives and what waits.

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

#include "results/result_sender_fixture.h"
#include "webrtc/receive_gate.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ResultSenderTest, EachFrameOnceInOrderThenTheCompletion) {
  connect();
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(send(i, {{"face", Box{i + 0.5, 2, 3, 4}, std::nullopt, ""}}));
  }
  sender_->finish("", {});
  const auto delivery = wait_end();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(delivery->stats.sent, 100U);
  EXPECT_EQ(delivery->stats.dropped, 0U);

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

TEST_F(ResultSenderTest, WaitsForTheChannel) {
  make_sender();
  auto sent = std::async(std::launch::async, [this] { return send(); });
  ASSERT_TRUE(eventually([this] { return sender_->stats().last_frame_id == 1; }, kDeadline));
  client_ = std::make_unique<ResultClient>(peers_);
  ASSERT_TRUE(peers_.negotiate());
  EXPECT_TRUE(sent.get());
  EXPECT_TRUE(client_->wait_results(1));
}

// A film whose first frame is shown later than its sound begins.
TEST_F(ResultSenderTest, TellsTheTimeInTheFile) {
  connect();
  EXPECT_TRUE(send(20));
  EXPECT_TRUE(send(21));
  ASSERT_TRUE(client_->wait_results(2));
  const auto results = client_->results();
  EXPECT_EQ(json_integer(results[0].metadata(), "pts"), 20 * 3600);
  EXPECT_EQ(json_integer(results[1].metadata(), "pts"), 21 * 3600);
}

// All that is known beside a video track.
TEST_F(ResultSenderTest, CountsFromTheFirstFrameIfItIsToldTo) {
  ResultSettings settings;
  settings.pts_from_first = true;
  connect(settings);
  EXPECT_TRUE(send(20));
  EXPECT_TRUE(send(21));
  ASSERT_TRUE(client_->wait_results(2));
  const auto results = client_->results();
  EXPECT_EQ(json_integer(results[0].metadata(), "pts"), 0);
  EXPECT_EQ(json_integer(results[1].metadata(), "pts"), 3600);
}

TEST_F(ResultSenderTest, DropsResultsWhenThereIsNoChannelInTimeAndSendsThemWhenThereIs) {
  ResultSettings settings;
  settings.channel_timeout = std::chrono::milliseconds(1);
  make_sender(settings);
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_TRUE(send(i));
  EXPECT_EQ(sender_->stats().dropped, 5U);
  client_ = std::make_unique<ResultClient>(peers_);
  ASSERT_TRUE(peers_.negotiate());
  ASSERT_TRUE(eventually(
      [this] {
        EXPECT_TRUE(send(5));
        return sender_->stats().sent == 1;
      },
      kDeadline));
  ASSERT_TRUE(client_->wait_results(1));
  const auto results = client_->results();
  EXPECT_GE(results[0].header_id, 6U);
  EXPECT_EQ(results[0].header_id, sender_->stats().last_frame_id);
  EXPECT_EQ(json_integer(results[0].metadata(), "pts"), 5 * 3600);
}

TEST_F(ResultSenderTest, ChannelsOfOtherLabelsAreLeftAlone) {
  make_sender();
  const auto other = peers_.create_channel("video_upload");
  const ChannelObserver observer(other.get());
  client_ = std::make_unique<ResultClient>(peers_);
  ASSERT_TRUE(peers_.negotiate());
  ASSERT_TRUE(client_->observer().wait_open());
  EXPECT_TRUE(send());
  EXPECT_TRUE(client_->wait_results(1));
  EXPECT_EQ(observer.message_count(), 0U);
}

TEST_F(ResultSenderTest, TwoSendersTakeOneChannelEach) {
  make_sender();
  ResultSettings settings;
  settings.channel_timeout = kForever;
  const auto second = ResultSender::create(settings, {});
  second->attach(peers_.answerer());
  client_ = std::make_unique<ResultClient>(peers_);
  const ResultClient other(peers_);
  ASSERT_TRUE(peers_.negotiate());
  EXPECT_TRUE(send());
  const GstBufferPtr buffer = frame();
  EXPECT_TRUE(second->send_frame(buffer.get(), time_of(buffer.get()), info_, {}));
  EXPECT_TRUE(client_->wait_results(1));
  EXPECT_TRUE(other.wait_results(1));
}

// With acknowledgements.

TEST_F(ResultSenderTest, WithoutAcknowledgementsNothingWaits) {
  ResultSettings settings;
  settings.ack_window = 1;
  connect(settings);
  for (std::uint32_t i = 0; i < 200; ++i) EXPECT_TRUE(send(i));
  EXPECT_TRUE(client_->wait_results(200));
}

TEST_F(ResultSenderTest, StaysAWindowAheadOfAcknowledgements) {
  ResultSettings settings;
  settings.ack_window = 3;
  connect(settings);
  EXPECT_TRUE(send());
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send());
  auto fifth = std::async(std::launch::async, [this] { return send(); });
  ASSERT_TRUE(eventually([this] { return sender_->stats().last_frame_id == 5; }, kDeadline));
  EXPECT_EQ(sender_->stats().sent, 4U) << "it waits";
  // Neither these nor what follows lets it go.
  client_->ack(1);
  client_->ack(0);
  client_->ack(-1);
  client_->ack(5);
  client_->ack(std::int64_t{1} << 40);
  client_->say(R"({"ack": "2"})");
  client_->say(R"({"ack": 99999999999999999999999999})");
  client_->say(R"({"ack": [2]})");
  client_->say(R"({"ack": 2.5})");
  client_->say("2");
  EXPECT_TRUE(send_bytes(client_->channel(), Bytes{'{', '}'}));
  client_->say(R"({"last": true})");
  ASSERT_TRUE(wait([this] { return !control_.empty() && control_.back() == R"({"last": true})"; }));
  EXPECT_EQ(sender_->stats().sent, 4U);
  EXPECT_EQ(sender_->stats().acked, 1U);
  client_->ack(2);
  EXPECT_TRUE(fifth.get());
  EXPECT_TRUE(client_->wait_results(5));
}

TEST_F(ResultSenderTest, AnAcknowledgementAmongOtherThingsCounts) {
  connect();
  EXPECT_TRUE(send());
  client_->say(R"({"data_output": null, "ack": 1})");
  EXPECT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
}

TEST_F(ResultSenderTest, RealtimeDoesNotWaitForAcknowledgements) {
  ResultSettings settings;
  settings.ack_window = 1;
  settings.realtime = true;
  connect(settings);
  EXPECT_TRUE(send());
  client_->ack(1);
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  for (std::uint32_t i = 0; i < 50; ++i) EXPECT_TRUE(send(i));
  EXPECT_TRUE(client_->wait_results(51));
}

// The end, and a peer that has not read its results by then.

// 4 s is what a program may well be busy for, loading a model or drawing what it has.
TEST_F(ResultSenderTest, APeerThatIsBusyForFourSecondsGetsEverything) {
  keep_linger_ = true;
  connect();
  client_->set_stuck(true);
  const auto free_again = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  for (std::uint32_t i = 0; i < 150; ++i) EXPECT_TRUE(send(i));
  sender_->finish("", {});
  std::this_thread::sleep_until(free_again);
  // Other stacks than webrtcbin throw away what their program has not read when it closes.
  const auto server_side = peers_.incoming(Side::kAnswerer, "inference");
  ASSERT_TRUE(server_side);
  EXPECT_EQ(server_side->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
  client_->set_stuck(false);
  const auto delivery = wait_end();
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->complete) << delivery->problem;
  EXPECT_EQ(header_ids(client_->results()), count_to(151));
}

// Peers that take nothing.

TEST_F(ResultSenderTest, WhatWaitsInTheChannelIsBounded) {
  constexpr std::uint64_t kLimit = 300000;
  constexpr std::size_t kResult = 100000;
  ResultSettings settings;
  settings.buffer_limit = kLimit;
  connect(settings);
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(1));
  auto gate = ReceiveGate::find(peers_.offerer());
  ASSERT_TRUE(gate);
  gate->close();
  std::atomic<std::uint32_t> sent = 1;
  auto sending = std::async(std::launch::async, [&] {
    while (sent < 60 && send(sent, detection_with_text(kResult))) ++sent;
  });
  ASSERT_TRUE(eventually([this] { return sender_->stats().buffered >= kLimit; }, kDeadline));
  gate->open();
  sending.get();
  ASSERT_TRUE(client_->wait_results(60));
  const auto stats = sender_->stats();
  EXPECT_EQ(stats.sent, 60U);
  EXPECT_EQ(stats.dropped, 0U);
  EXPECT_LT(stats.buffered_peak, kLimit + kResult + 1000);
  EXPECT_EQ(header_ids(client_->results()), count_to(60));
}

TEST_F(ResultSenderTest, RealtimeDropsWhatThereIsNoRoomFor) {
  ResultSettings settings;
  settings.realtime = true;
  settings.buffer_limit = 100000;
  connect(settings);
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(1));
  auto gate = ReceiveGate::find(peers_.offerer());
  ASSERT_TRUE(gate);
  gate->close();
  // It never waits, so this ends.
  while (sender_->stats().dropped < 1000) ASSERT_TRUE(send(0, detection_with_text(50000)));
  const auto stats = sender_->stats();
  EXPECT_LT(stats.buffered_peak, 100000U + 52000);
  gate->open();
  ASSERT_TRUE(client_->wait_results(stats.sent));
  const auto results = client_->results();
  // Each that was sent came whole and in its turn.
  const auto ids = header_ids(results);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(ids.size(), stats.sent);
}

TEST_F(ResultSenderTest, FlushingInterruptsAWaitAndTearsNoResult) {
  ResultSettings settings;
  settings.buffer_limit = 100000;
  connect(settings);
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(1));
  auto gate = ReceiveGate::find(peers_.offerer());
  ASSERT_TRUE(gate);
  gate->close();
  std::atomic<std::uint32_t> sent = 1;
  auto sending = std::async(std::launch::async, [&] {
    while (send(sent, detection_with_text(200000))) ++sent;
  });
  ASSERT_TRUE(eventually([this] { return sender_->stats().buffered >= 100000; }, kDeadline));
  sender_->set_flushing(true);
  sending.get();
  EXPECT_FALSE(send()) << "until flushing ends";
  EXPECT_EQ(sender_->stats().sent, sent);
  sender_->set_flushing(false);
  gate->open();
  EXPECT_TRUE(send());
  ASSERT_TRUE(client_->wait_results(sent + 1));
  EXPECT_EQ(client_->results().back().header_id, sender_->stats().last_frame_id);
}

// What clients say.

TEST_F(ResultSenderTest, OnlyObjectsAreHandedOn) {
  connect();
  const std::string deep(200, '[');
  for (const std::string& text :
       {std::string("x"), std::string("[]"), std::string("null"), std::string("{"),
        R"({"a": )" + deep, std::string("{\"a\": \"\xff\"}"), std::string(20000, ' ') + "{}"}) {
    client_->say(text);
  }
  EXPECT_TRUE(send_bytes(client_->channel(), Bytes(60000, 'x')));
  client_->say(R"({"data_output": ["predictions"]})");
  ASSERT_TRUE(wait([this] { return !control_.empty(); }));
  EXPECT_THAT(control_, ElementsAre(R"({"data_output": ["predictions"]})"));
  EXPECT_EQ(sender_->stats().control, 1U);
  EXPECT_EQ(sender_->stats().rejected, 8U);
}

TEST_F(ResultSenderTest, AFloodOfMessagesIsBoundedAndHoldsUpNothing) {
  connect();
  std::promise<void> release;
  auto released = release.get_future().share();
  {
    const std::lock_guard lock(mutex_);
    on_control_ = [released] { released.wait(); };
  }
  for (int i = 0; i < 10000; ++i)
    client_->say(R"({"stream_output": [")" + std::string(50, 'x') + "\"]}");
  EXPECT_TRUE(send());
  client_->ack(1);
  // It overtakes them all, and none of them has been handled but the first.
  ASSERT_TRUE(eventually([this] { return sender_->stats().acked == 1U; }, kDeadline));
  const auto stats = sender_->stats();
  EXPECT_LE(stats.control, 1U);
  EXPECT_GE(stats.rejected, 10000U - 64 - 1);
  release.set_value();
  ASSERT_TRUE(eventually(
      [this] {
        const auto now = sender_->stats();
        return now.control + now.rejected == 10000;
      },
      kDeadline));
  EXPECT_LE(sender_->stats().control, 65U);
  EXPECT_TRUE(send());
  EXPECT_TRUE(client_->wait_results(2));
}

TEST_F(ResultSenderTest, OutputsChangeFromTheNextResultOn) {
  connect();
  const std::vector<Detection> detections = {{"a", Box{1, 2, 3, 4}, {}, ""}};
  EXPECT_TRUE(send(0, detections));
  sender_->set_data_output({});
  EXPECT_TRUE(send(1, detections));
  sender_->set_data_output({"something else"});
  EXPECT_TRUE(send(2, detections));
  sender_->set_data_output({"predictions"});
  EXPECT_TRUE(send(3, detections));
  ASSERT_TRUE(client_->wait_results(4));
  const auto results = client_->results();
  EXPECT_EQ(results[0].predictions().size(), 1U);
  EXPECT_FALSE(results[1].outputs());
  ASSERT_TRUE(results[2].outputs());
  EXPECT_EQ(json_object_get_size(results[2].outputs()), 0U);
  EXPECT_EQ(results[3].predictions().size(), 1U);
}

TEST_F(ResultSenderTest, ImagesWhenNamedAndWhyNotOnce) {
  ResultSettings settings;
  settings.data_output = {"*", "image"};
  connect(settings);
  // 320 by 240 pixels do not fit into one byte.
  EXPECT_TRUE(send(0));
  EXPECT_TRUE(send(1));
  GstBufferPtr whole = frame(2, GST_VIDEO_INFO_SIZE(&info_));
  EXPECT_TRUE(sender_->send_frame(whole.get(), time_of(whole.get()), info_, {}));
  info_ = video(1920, 1080);
  whole = frame(3, GST_VIDEO_INFO_SIZE(&info_));
  EXPECT_TRUE(sender_->send_frame(whole.get(), time_of(whole.get()), info_, {}));
  ASSERT_TRUE(client_->wait_results(4));
  const auto results = client_->results();
  EXPECT_FALSE(ReceivedResult::child(results[0].outputs(), "image"));
  EXPECT_THAT(results[0].errors(), ElementsAre(HasSubstr("no image: ")));
  EXPECT_FALSE(ReceivedResult::child(results[1].outputs(), "image"));
  EXPECT_THAT(results[1].errors(), IsEmpty());
  for (int i : {2, 3}) {
    EXPECT_THAT(results[i].errors(), IsEmpty());
    JsonObject* image = ReceivedResult::child(results[i].outputs(), "image");
    ASSERT_TRUE(image);
    gsize size = 0;
    guchar* jpeg = g_base64_decode(json_object_get_string_member(image, "value"), &size);
    ASSERT_GT(size, 4U);
    EXPECT_EQ(jpeg[0] << 8 | jpeg[1], 0xffd8);
    EXPECT_EQ(jpeg[size - 2] << 8 | jpeg[size - 1], 0xffd9);
    g_free(jpeg);
    EXPECT_TRUE(results[i].predictions().empty());
  }
}

}  // namespace
}  // namespace webrtcupload::test
