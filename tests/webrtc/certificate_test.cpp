// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcupload on an application's own webrtcbin takes nothing from a peer whose certificate is not
// the one that its session description announced.

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "support/peer_pair.h"
#include "webrtc/receiving_pipeline.h"

namespace webrtcupload {
namespace {

using test::Bytes;
using test::eventually;
using test::PeerPair;
using test::ReceivingPipeline;
using Side = PeerPair::Side;

// Of another certificate.
std::string forged(const std::string& sdp) {
  std::string changed = sdp;
  const std::size_t at = changed.find("a=fingerprint:sha-256 ") + 22;
  changed[at] = changed[at] == '0' ? '1' : '0';
  return changed;
}

// From there on webrtcbin itself lets nothing through, and the element has nothing to look at.
bool webrtcbin_checks() {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return major > 1 || minor > 28 || (minor == 28 && micro >= 5);
}

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

}  // namespace
}  // namespace webrtcupload
