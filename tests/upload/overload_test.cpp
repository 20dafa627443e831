// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Senders that are faster than the storage where nothing can hold them back. The upload fails while
// the sender sends, so leaks are not looked for here (meson.build says why).

#include <gtest/gtest.h>

#include <string>

#include "upload/inbox.h"
#include "upload/receiving_pipeline.h"
#include "upload/test_storage.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

constexpr guint64 kMiB = 1024 * 1024;

class Overload : public testing::Test {
 protected:
  void TearDown() override { intercept_storage(nullptr); }

  PeerPair pair_{{.observe_incoming = false}};
};

TEST_F(Overload, WithoutADecoderToHoldBackTheUploadFails) {
  constexpr guint64 kSize = 64 * kMiB;
  const auto storage = stop_storage();
  ReceivingPipeline receiver(nullptr,
                             "upload-timeout=0 idle-timeout=0 backlog-high=65536 backlog-low=0",
                             "fakesink name=sink sync=false");
  // Only the channel is known, so there is no webrtcbin whose SCTP decoder could be blocked.
  SignalConnection on_channel(
      pair_.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, GstElement** upload) {
        g_object_set(*upload, "data-channel", channel, nullptr);
        gst_element_set_state(GST_ELEMENT(GST_OBJECT_PARENT(*upload)), GST_STATE_PLAYING);
      }),
      receiver.upload());
  const auto sender = make_noise_sender(pair_.offerer(), kSize);
  BusLog sender_bus(sender.get());
  ASSERT_TRUE(pair_.start());
  ASSERT_NE(gst_element_set_state(sender.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  ASSERT_TRUE(pair_.negotiate());

  // The worker, which is to say so, stands in the storage.
  EXPECT_TRUE(storage->wait_blocked());
  EXPECT_TRUE(eventually([&] { return receiver.stat_u64("backlog-peak") > Inbox::kOverloadFloor; },
                         kDeadline));
  storage->release();
  EXPECT_EQ(receiver.wait_error().code, "overloaded");
  EXPECT_NE(sender_bus.wait(GST_MESSAGE_ERROR), nullptr) << "the sender did not notice";
  stop_promptly(sender.get());
}

}  // namespace
}  // namespace webrtcupload::test
