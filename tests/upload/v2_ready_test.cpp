// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire format v2 over the application's data channel that goes on after READY, or does
// not.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "upload/stoppable_disk.h"
#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

constexpr std::uint64_t kFirst = 100'000;
constexpr std::uint64_t kMiB = 1024 * 1024;

class V2Ready : public V2Upload {
 protected:
  // The first bytes are stored, and the element is in READY.
  void begin_and_stop(const std::string& properties = "") {
    connect_over_the_applications_channel(properties);
    receiver_->play();
    client_ = std::make_unique<V2Client>(file_, V2Client::Options{.first = kFirst});
    client_->add(channel_);
    ASSERT_TRUE(client_->run_until_stored(kFirst));
    stop();
  }
  void stop() { gst_element_set_state(receiver_->pipeline(), GST_STATE_READY); }
  void expect_to_go_on() {
    receiver_->play();
    client_->send_all();
    ASSERT_TRUE(client_->run_to_end());
    EXPECT_EQ(client_->sender().sent_bytes(), file_.size()) << "sent again what was stored";
    expect_file();
  }

  std::unique_ptr<V2Client> client_;
};

TEST_F(V2Ready, BetweenItsRunsWhatTheClientHasSaidIsToldToo) {
  begin_and_stop();
  EXPECT_EQ(stat_text("name"), "film.mp4");
  EXPECT_EQ(stat_text("content-type"), "video/mp4");
  EXPECT_EQ(receiver_->stat_u64("bytes"), kFirst);
  expect_to_go_on();
}

// A client that keeps to its credit is not held back, however low the marks for v1 are.
TEST_F(V2Ready, ASlowDiskHoldsNobodyBackAfterIt) {
  StoppableDisk disk;
  file_ = random_bytes(2 * kMiB);
  begin_and_stop("window=1048576 backlog-high=65536 backlog-low=0 idle-timeout=0");
  disk.stop();
  receiver_->play();
  client_->send_all();
  EXPECT_TRUE(client_->run([&] { return receiver_->stat_u64("backlog") >= kMiB / 2; }));
  EXPECT_FALSE(is_held_back(pair_.answerer()));
  disk.release();
  ASSERT_TRUE(client_->run_to_end());
  expect_file();
}

TEST_F(V2Ready, WhatIsKeptIsNotLostToASettingThatDoesNotSuitIt) {
  begin_and_stop();
  gst_util_set_object_arg(G_OBJECT(upload()), "protocols", "v1");
  gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED);
  EXPECT_NE(receiver_->wait_error().message.find("\"protocols\" lacks"), std::string::npos);
  stop();
  gst_util_set_object_arg(G_OBJECT(upload()), "protocols", "v1+v2");
  receiver_->play();
  client_->send_all();
  ASSERT_TRUE(client_->run_to_end());
  ASSERT_TRUE(witness_->wait_state("done"));
  EXPECT_EQ(client_->sender().sent_bytes(), file_.size()) << "sent again what was stored";
  EXPECT_EQ(receiver_->bytes(), file_);
}

TEST_F(V2Ready, WhoseUploadIsLetGoOfIsTold) {
  begin_and_stop();
  g_object_set(upload(), "data-channel", nullptr, nullptr);
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "cancelled");
  EXPECT_FALSE(told->resumable);
}

// Nothing ends its time to be read but the element itself.
TEST_F(V2Ready, AChannelThatWasToldItsLastWordIsClosedWithTheRun) {
  connect_over_the_applications_channel();
  receiver_->play();
  client_ = std::make_unique<V2Client>(file_, V2Client::Options{.first = kFirst});
  client_->add(channel_);
  ASSERT_TRUE(client_->run_until_stored(kFirst));
  ASSERT_TRUE(attach(pair_.answerer()));
  const auto strange = open_v2(pair_);
  ASSERT_TRUE(say(strange.channel.get(), hello_of(file_)));
  ASSERT_TRUE(wait_for<control::Failure>(*strange.observer));
  stop();
  EXPECT_TRUE(strange.observer->wait_closed());
  expect_to_go_on();
}

TEST_F(V2Upload, WithoutAWireFormatTheElementDoesNotStart) {
  receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer());
  g_object_set(upload(), "protocols", 0, nullptr);
  gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED);
  EXPECT_NE(receiver_->wait_error().message.find("\"protocols\" names no"), std::string::npos);
}

}  // namespace
}  // namespace webrtcupload::test
