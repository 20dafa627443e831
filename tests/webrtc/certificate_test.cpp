// SPDX-License-Identifier: LGPL-2.1-or-later
//
// On an application's own webrtcbin webrtcupload takes nothing from a peer whose certificate is not
// the one that its session description announced, and the two sinks send it nothing.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "results/result_client.h"
#include "results/result_pipeline.h"
#include "results/result_sender_fixture.h"
#include "sending/sink_fixture.h"
#include "support/peer_pair.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"
#include "webrtc/dtls_check.h"
#include "webrtc/forged_certificate.h"

namespace webrtcupload {
namespace {

using test::Bytes;
using test::eventually;
using test::forged;
using test::PeerPair;
using test::ReceivingPipeline;
using test::ResultClient;
using test::ResultPipeline;
using test::Upload;
using test::webrtcbin_checks;
using Side = PeerPair::Side;

class Certificate : public ::testing::Test {
 protected:
  void receive(const std::string& properties) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties);
    g_signal_connect(receiver_->upload(), "authorize",
                     G_CALLBACK(+[](GstElement*, GstStructure*, std::atomic<int>* asked) {
                       ++*asked;
                       return TRUE;
                     }),
                     &asked_);
    receiver_->play();
    channel_ = pair_.connect();
  }

  const Bytes bytes_ = test::random_bytes(1000);
  std::atomic<int> asked_ = 0;
  PeerPair pair_{PeerPair::Options{
      .observe_incoming = false, .rewrite_offer = forged, .rewrite_answer = nullptr}};
  PeerPair::Channel channel_;
  std::unique_ptr<ReceivingPipeline> receiver_;
};

TEST_F(Certificate, NothingIsTakenFromAnother) {
  if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin hands on nothing of such a peer";
  receive("");
  // A complete upload in one message.
  ASSERT_TRUE(test::send_chunk(channel_.channel.get(), 0, 1, bytes_));
  EXPECT_EQ(receiver_->wait_error().code, "untrusted-peer");
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
  EXPECT_TRUE(receiver_->bytes().empty());
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_EOS), 0U);
}

// The whole upload is there, and its peer has left, before the element is started.
TEST_F(Certificate, NothingIsTakenFromAnotherThatHasLeft) {
  if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin hands on nothing of such a peer";
  receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer());
  struct Arrived {
    ReceivingPipeline* receiver;
    std::atomic<int> messages = 0;
  } arrived{receiver_.get()};
  g_signal_connect(
      pair_.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, Arrived* self) {
        g_object_set(self->receiver->upload(), "data-channel", channel, nullptr);
        g_signal_connect(
            channel, "on-message-data",
            G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, Arrived* of) { ++of->messages; }), self);
      }),
      &arrived);
  channel_ = pair_.connect();
  ASSERT_TRUE(test::send_chunk(channel_.channel.get(), 0, 1, bytes_));
  ASSERT_TRUE(eventually([&] { return arrived.messages == 1; }));
  pair_.close_connection(Side::kOfferer);
  receiver_->play();
  EXPECT_EQ(receiver_->wait_error().code, "untrusted-peer");
  EXPECT_TRUE(receiver_->bytes().empty());
}

TEST_F(Certificate, TheApplicationMayDoWithout) {
  if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin hands on nothing of such a peer";
  receive("check-certificate=false");
  ASSERT_TRUE(test::send_chunk(channel_.channel.get(), 0, 1, bytes_));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), bytes_);
}

// -------------------------------------------------------------------------------------------------
// webrtcuploadsink, at the side that offers

class UploadCertificate : public ::testing::Test {
 protected:
  void SetUp() override {
    if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin opens no channel to such a peer";
    near_ = pair_.connect();
    ASSERT_TRUE(near_.channel);
    far_ = pair_.incoming(Side::kAnswerer);
    ASSERT_TRUE(far_);
    far_->set_echo(true);
  }

  void upload_all() {
    upload_.announce(3);
    upload_.play();
    upload_.push(Bytes{1, 2, 3});
    upload_.end();
  }
  void expect_refused() {
    upload_all();
    const test::ErrorText error = upload_.error();
    EXPECT_EQ(error.code, "untrusted-peer");
    EXPECT_THAT(error.message, ::testing::HasSubstr(DtlsCheck::kWhyUntrusted));
    EXPECT_TRUE(far_->wait_closed()) << "the peer has to notice";
    EXPECT_EQ(far_->message_count(), 0U);
  }

  // The element is there before the channel, so that it can know whose the channel is.
  Upload upload_;
  PeerPair pair_{PeerPair::Options{
      .observe_incoming = true, .rewrite_offer = nullptr, .rewrite_answer = forged}};
  PeerPair::Channel near_;
  std::shared_ptr<test::ChannelObserver> far_;
};

TEST_F(UploadCertificate, NothingIsSentToAnother) {
  g_object_set(upload_.sink(), "data-channel", near_.channel.get(), "webrtcbin", pair_.offerer(),
               nullptr);
  expect_refused();
}

TEST_F(UploadCertificate, NothingIsSentToAnotherOverAChannelAlone) {
  g_object_set(upload_.sink(), "data-channel", near_.channel.get(), nullptr);
  expect_refused();
}

TEST_F(UploadCertificate, TheApplicationMayDoWithout) {
  g_object_set(upload_.sink(), "data-channel", near_.channel.get(), "webrtcbin", pair_.offerer(),
               "check-certificate", FALSE, nullptr);
  upload_all();
  EXPECT_EQ(upload_.outcome(), "");
  EXPECT_EQ(far_->message_count(), 2U);  // The file, and the keepalive.
}

// -------------------------------------------------------------------------------------------------
// webrtcresultsink, at the side that answers

class ResultCertificate : public ::testing::Test {
 protected:
  void SetUp() override {
    if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin opens no channel to such a peer";
  }
  // Before the client goes: 1.22 leaks a message that it is given while the peer closes the
  // channel.
  void TearDown() override {
    if (results_) results_->stop();
  }

  void connect(const std::string& properties = "") {
    results_ = std::make_unique<ResultPipeline>(properties);
    g_object_set(results_->sink(), "webrtcbin", pair_.answerer(), nullptr);
    g_signal_connect(
        results_->sink(), "control",
        G_CALLBACK(+[](GstElement*, const char*, std::atomic<int>* heard) { ++*heard; }), &heard_);
    ASSERT_NE(results_->play(), GST_STATE_CHANGE_FAILURE);
    const auto arrived = std::make_shared<test::Count>();
    const SignalConnection counting(
        pair_.answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel*, std::shared_ptr<test::Count>* count) {
          (*count)->raise();
        }),
        arrived);
    ASSERT_TRUE(pair_.start());
    client_ = std::make_unique<ResultClient>(pair_);
    ASSERT_TRUE(pair_.negotiate());
    // The client may think so before the sink, whose handler comes first, has heard of the channel.
    ASSERT_TRUE(arrived->wait(1));
  }
  void expect_refused() {
    const auto error = results_->bus().wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_EQ(GST_MESSAGE_SRC(error.get()), GST_OBJECT(results_->sink()));
    EXPECT_EQ(test::error_text(error.get()).code, "untrusted-peer");
    EXPECT_THAT(test::error_text(error.get()).message,
                ::testing::HasSubstr(DtlsCheck::kWhyUntrusted));
    EXPECT_TRUE(client_->wait_closed()) << "the peer has to notice";
    EXPECT_EQ(client_->count(), 0U);
    EXPECT_EQ(results_->stat("messages"), 0U);
  }

  std::atomic<int> heard_ = 0;
  PeerPair pair_{PeerPair::Options{
      .observe_incoming = false, .rewrite_offer = forged, .rewrite_answer = nullptr}};
  std::unique_ptr<ResultPipeline> results_;
  std::unique_ptr<ResultClient> client_;
};

TEST_F(ResultCertificate, NothingIsSentToAnother) {
  connect();
  results_->push("for somebody else");
  expect_refused();
  results_->end();
  EXPECT_TRUE(eventually([&] { return results_->stat("dropped") == 1; }));
}

// The completion would be the first message.
TEST_F(ResultCertificate, NorIsTheEnd) {
  connect();
  results_->end();
  expect_refused();
  results_->stop();
  EXPECT_EQ(results_->bus().count(GST_MESSAGE_EOS), 0U);
}

TEST_F(ResultCertificate, NorThatItIsStopped) {
  connect();
  results_->stop();
  EXPECT_TRUE(client_->wait_closed());
  EXPECT_EQ(client_->count(), 0U);
}

TEST_F(ResultCertificate, NothingIsHeardFromAnother) {
  connect();
  client_->say("{\"data_output\": []}");
  expect_refused();
  EXPECT_EQ(heard_, 0);
}

TEST_F(ResultCertificate, TheApplicationMayDoWithout) {
  connect("check-certificate=false");
  client_->say("{\"data_output\": [\"*\"]}");
  EXPECT_TRUE(eventually([&] { return heard_ == 1; }));
  results_->push("for anybody");
  EXPECT_TRUE(client_->wait_results(1));
  EXPECT_EQ(results_->bus().count(GST_MESSAGE_ERROR), 0U);
}

// webrtcbin calls handlers of a channel with the lock held for which the look at its peer waits.
using ResultSenderCertificate = test::ResultSenderTest;
TEST_F(ResultSenderCertificate, AFalsePeerThatIsReplacedWhileItIsLookedAtIsNothingToTheNextOne) {
  if (webrtcbin_checks()) GTEST_SKIP() << "this webrtcbin announces no channel of such a peer";
  make_sender();
  sender_->detach(peers_.answerer());
  PeerPair false_pair(
      {.observe_incoming = false, .rewrite_offer = forged, .rewrite_answer = nullptr});
  sender_->attach(false_pair.answerer());
  const auto blocker = std::make_shared<test::Blocker>();
  // Behind the sender's own handler.
  const SignalConnection on_channel(
      false_pair.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel*, std::shared_ptr<test::Blocker>* blocks) {
        (*blocks)->block();
      }),
      blocker);
  ASSERT_TRUE(false_pair.start());
  const ResultClient false_client(false_pair);
  ASSERT_TRUE(false_pair.negotiate());
  ASSERT_TRUE(blocker->wait_blocked());

  sender_->detach(false_pair.answerer());
  sender_->attach(peers_.answerer());
  client_ = std::make_unique<ResultClient>(peers_);
  ASSERT_TRUE(peers_.negotiate());
  ASSERT_TRUE(client_->observer().wait_open());
  blocker->release();
  EXPECT_TRUE(send(1));
  EXPECT_TRUE(client_->wait_results(1));
  EXPECT_EQ(gone_, std::nullopt);
}

}  // namespace
}  // namespace webrtcupload
