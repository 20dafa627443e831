// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink to webrtcupload in wire format v2.

#include <gtest/gtest.h>

#include <string>

#include "sending/sink_v2_fixture.h"
#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

class SinkV2ToUpload : public ::testing::Test {
 protected:
  void connect(const std::string& properties = "") {
    ASSERT_TRUE(pair_.start());
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties);
    receiver_->play();
    g_object_set(upload_.sink(), "webrtcbin", pair_.offerer(), "protocol", 2, nullptr);
  }
  void send(const Bytes& data) {
    upload_.play();
    ASSERT_TRUE(pair_.negotiate());
    upload_.push(data, 100'000);
    upload_.end();
  }

  PeerPair pair_{PeerPair::Options{
      .observe_incoming = false, .rewrite_offer = nullptr, .rewrite_answer = nullptr}};
  std::unique_ptr<ReceivingPipeline> receiver_;
  Upload upload_;
};

TEST_F(SinkV2ToUpload, AFileOfKnownSize) {
  const Bytes data = random_bytes(20'000'000);
  ASSERT_NO_FATAL_FAILURE(connect());
  upload_.announce(data.size());
  ASSERT_NO_FATAL_FAILURE(send(data));
  EXPECT_EQ(upload_.outcome(), "");
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_TRUE(receiver_->bytes() == data);
  EXPECT_EQ(text_property(upload_.sink(), "sha256"), to_hex(sum_of(data)));
}

TEST_F(SinkV2ToUpload, AStreamOfUnknownSizeWithASmallWindow) {
  const Bytes data = random_bytes(5'000'000);
  ASSERT_NO_FATAL_FAILURE(connect("window=200000 progressive=true"));
  ASSERT_NO_FATAL_FAILURE(send(data));
  EXPECT_EQ(upload_.outcome(), "");
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_TRUE(receiver_->bytes() == data);
}

TEST_F(SinkV2ToUpload, TheReceiversErrorIsTold) {
  ASSERT_NO_FATAL_FAILURE(connect("max-size=1000000"));
  ASSERT_NO_FATAL_FAILURE(send(random_bytes(2'000'000)));
  EXPECT_EQ(upload_.error().code, "too-large");
  EXPECT_EQ(receiver_->wait_error().code, "too-large");
}

TEST_F(SinkV2ToUpload, TheReceiverIsToldThatTheSenderStops) {
  ASSERT_NO_FATAL_FAILURE(connect());
  upload_.announce(2'000'000);
  upload_.play();
  ASSERT_TRUE(pair_.negotiate());
  upload_.push(random_bytes(1'000'000), 100'000);
  ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("bytes") > 0; }, kDeadline));
  stop_promptly(upload_.pipeline());
  EXPECT_EQ(receiver_->wait_error().code, "cancelled");
}

}  // namespace
}  // namespace webrtcupload::test
