// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The element is stopped while an upload in wire format v2 is in this state or that.

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "support/log.h"
#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

class V2Stop : public V2Upload {
 protected:
  void stop() { stop_promptly(receiver_->pipeline()); }
  // What goes on with a fresh start.
  void expect_next_upload_works() {
    receiver_.reset();
    expect_upload_works(pair_);
  }
};

TEST_F(V2Stop, BeforeAHello) {
  const Log log;
  connect();
  ASSERT_TRUE(log.says({"channel \"video_upload\" taken"}));
  stop();
  EXPECT_EQ(receiver_->state(), "idle");
  expect_next_upload_works();
}

TEST_F(V2Stop, WhileAuthorizeThinks) {
  start();
  Blocker blocker;
  const auto handler = on_authorize(upload(), [&](const GstStructure*) {
    blocker.block();
    return true;
  });
  channel_ = connect_v2(pair_);
  ASSERT_TRUE(say(channel(), hello_of(file_)));
  ASSERT_TRUE(blocker.wait_blocked());
  stop();
  blocker.release();
  expect_next_upload_works();
  EXPECT_EQ(channel_.observer->message_count(), 0U);
}

TEST_F(V2Stop, AmidTheFileTheClientIsToldThatItIsForNobody) {
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 50'000));
  ASSERT_TRUE(wait_for<control::Ack>(*channel_.observer));
  stop();
  EXPECT_EQ(receiver_->state(), "uploading");
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "cancelled");
  EXPECT_FALSE(told->resumable);
  expect_next_upload_works();
}

TEST_F(V2Stop, WhileTheDiskStandsStill) {
  const auto storage = stop_storage();
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 50'000));
  ASSERT_TRUE(storage->wait_blocked());
  const auto releasing = std::async(std::launch::async, [&] {
    EXPECT_TRUE(wait_for<control::Failure>(*channel_.observer));
    storage->release();
  });
  gst_element_set_state(receiver_->pipeline(), GST_STATE_NULL);
  releasing.wait();
  expect_next_upload_works();
}

TEST_F(V2Stop, WhileItIsInterrupted) {
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 50'000));
  ASSERT_TRUE(wait_for<control::Ack>(*channel_.observer));
  gst_webrtc_data_channel_close(channel());
  ASSERT_TRUE(eventually([&] { return interrupted(); }));
  stop();
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
  expect_next_upload_works();
}

TEST_F(V2Stop, WhenItIsComplete) {
  connect();
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  ASSERT_TRUE(witness_->wait_complete());
  stop();
  expect_next_upload_works();
}

// At once, as applications do that hear of an error. The client has its time to read why.
TEST_F(V2Stop, WhenItHasFailed) {
  begin();
  g_signal_emit_by_name(upload(), "cancel");
  ASSERT_TRUE(witness_->wait_failed());
  stop();
  EXPECT_EQ(receiver_->state(), "error");
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "cancelled");
  expect_next_upload_works();
  EXPECT_EQ(channel_.observer->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
      << "to close it is the client's";
}

// The application has the channel, and nothing of the file has left: the next start goes on with
// it.
TEST_F(V2Stop, OverTheDataChannelOfTheApplicationItGoesOnWithTheNextStart) {
  connect_over_the_applications_channel();
  receiver_->play();
  V2Client client(file_, {.first = 100'000});
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(100'000));
  gst_element_set_state(receiver_->pipeline(), GST_STATE_READY);
  EXPECT_EQ(receiver_->state(), "uploading");
  client.send_all();
  receiver_->play();
  ASSERT_TRUE(client.run_to_end());
  EXPECT_EQ(client.sender().sent_bytes(), file_.size()) << "sent again what was stored";
  expect_file();
}

// It would go on with the next start, which is not to come any more.
TEST_F(V2Stop, OverTheDataChannelOfTheApplicationThatLetsGoOfIt) {
  connect_over_the_applications_channel();
  receiver_->play();
  V2Client client(file_, {.first = 100'000});
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(100'000));
  gst_element_set_state(receiver_->pipeline(), GST_STATE_READY);
  EXPECT_TRUE(all_of<control::Failure>(*channel_.observer).empty());
  g_object_set(upload(), "data-channel", nullptr, nullptr);
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "cancelled");
  EXPECT_FALSE(told->resumable);
  // Whoever has read it closes it.
  EXPECT_EQ(channel_.observer->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
}

TEST_F(V2Stop, AndStartedAgainAnotherUploadComes) {
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 50'000));
  ASSERT_TRUE(wait_for<control::Ack>(*channel_.observer));
  stop();
  ASSERT_TRUE(wait_for<control::Failure>(*channel_.observer));
  gst_webrtc_data_channel_close(channel());
  receiver_->play();
  EXPECT_EQ(receiver_->state(), "idle");
  V2Client client(file_);
  client.add(open_v2(pair_));
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

}  // namespace
}  // namespace webrtcupload::test
