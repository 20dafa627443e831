// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire format v2 to a webrtcupload, over a real pair of webrtcbins.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "upload/test_storage.h"
#include "upload/upload_witness.h"
#include "upload/v2_client.h"

namespace webrtcupload::test {

using Side = PeerPair::Side;

class V2Upload : public testing::Test {
 protected:
  void TearDown() override { intercept_storage(nullptr); }

  void start(const std::string& properties = "",
             const std::string& tail = ReceivingPipeline::kCollectBytes) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties, tail);
    witness_ = std::make_unique<UploadWitness>(upload());
    receiver_->play();
  }
  // And a channel that has said nothing yet.
  void connect(const std::string& properties = "") {
    start(properties);
    channel_ = connect_v2(pair_);
    ASSERT_TRUE(channel_.channel);
  }
  // The element has the channel from the application, and has not started.
  void connect_over_the_applications_channel(const std::string& properties = "") {
    receiver_ = std::make_unique<ReceivingPipeline>(nullptr, properties);
    witness_ = std::make_unique<UploadWitness>(upload());
    const SignalConnection connection(
        pair_.answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, GstElement** element) {
          g_object_set(*element, "data-channel", object, nullptr);
        }),
        upload());
    channel_ = connect_v2(pair_);
    ASSERT_TRUE(eventually([&] {
      GstWebRTCDataChannel* given = nullptr;
      g_object_get(upload(), "data-channel", &given, nullptr);
      return GObjectPtr<GstWebRTCDataChannel>(given) != nullptr;
    }));
  }
  // And is let in with a hello.
  void begin(const std::string& properties = "") {
    connect(properties);
    ASSERT_TRUE(say(channel(), hello_of(file_)));
    ready_ = wait_for<control::Ready>(*channel_.observer);
    ASSERT_TRUE(ready_);
  }

  [[nodiscard]] GstElement* upload() const { return receiver_->upload(); }
  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }
  [[nodiscard]] std::string stat_text(const char* field) const {
    const GstStructurePtr stats = receiver_->stats();
    const char* text = gst_structure_get_string(stats.get(), field);
    return text ? text : "none";
  }
  [[nodiscard]] bool interrupted() const {
    gboolean value = FALSE;
    EXPECT_TRUE(gst_structure_get_boolean(receiver_->stats().get(), "interrupted", &value));
    return value;
  }
  [[nodiscard]] bool attach(GstElement* webrtcbin) const {
    gboolean attached = FALSE;
    g_signal_emit_by_name(upload(), "attach", webrtcbin, &attached);
    return attached;
  }

  void expect_file() {
    ASSERT_TRUE(receiver_->wait_eos());
    EXPECT_EQ(receiver_->bytes(), file_);
    EXPECT_EQ(receiver_->state(), "done");
    EXPECT_EQ(stat_text("sha256"), sha256_of(file_));
  }
  // The upload fails for the application, and the peer is told of the same.
  void expect_failure(const std::string& code, const ChannelObserver& observer) {
    const ErrorText error = receiver_->wait_error();
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_EQ(receiver_->state(), "error");
    const auto told = wait_for<control::Failure>(observer);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->code, code);
    EXPECT_FALSE(told->resumable);
    // As a client does that has read it.
    gst_webrtc_data_channel_close(observer.channel());
    EXPECT_TRUE(observer.wait_closed());
    EXPECT_TRUE(receiver_->bytes().empty()) << "something of it has left src";
  }

  PeerPair pair_{{.observe_incoming = false}};
  Bytes file_ = random_bytes(300'000, 7);
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  PeerPair::Channel channel_;
  std::optional<control::Ready> ready_;
};

}  // namespace webrtcupload::test
