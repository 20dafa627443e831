// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload to a webrtcupload whose application listens.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "upload/upload_witness.h"
#include "webrtcupload/gstwebrtcuploaderror.h"

namespace webrtcupload::test {

class UploadSignals : public testing::Test {
 protected:
  void make_receiver(const std::string& properties = "",
                     const std::string& tail = ReceivingPipeline::kCollectBytes) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties, tail);
    witness_ = std::make_unique<UploadWitness>(upload());
  }
  void connect() {
    channel_ = pair_.connect();
    ASSERT_TRUE(channel_.channel);
  }
  // Plays without reading further than the preroll, so that the processing does not end.
  void pause() {
    ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_FAILURE);
  }
  [[nodiscard]] GstElement* upload() const { return receiver_->upload(); }
  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }

  void expect_cancelled() {
    EXPECT_EQ(receiver_->wait_error().code, "cancelled");
    ASSERT_TRUE(witness_->wait_failed());
    EXPECT_EQ(witness_->failures()[0].domain, GST_WEBRTC_UPLOAD_ERROR);
    EXPECT_EQ(witness_->failures()[0].code, GST_WEBRTC_UPLOAD_ERROR_CANCELLED);
    EXPECT_EQ(receiver_->state(), "error");
  }

  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
};

}  // namespace webrtcupload::test
