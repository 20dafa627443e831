// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink over a real connection: uploads that fail, are interrupted, or lose their peer.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/wire_v1.h"
#include "sending/sender_channel.h"
#include "sending/sink_fixture.h"
#include "support/odd_directory.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

TEST_F(SinkOverAChannel, EmptyUpload) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() + "/empty";
  { const std::ofstream file(path); }
  const auto pipeline =
      parse_pipeline("filesrc location=" + path.string() + " ! webrtcuploadsink name=sink");
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "data-channel", near_.channel.get(), nullptr);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const auto message = bus.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ASSERT_TRUE(message);
  ASSERT_EQ(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_ERROR);
  EXPECT_EQ(error_text(message.get()).code, "empty-upload");
  EXPECT_NE(error_text(message.get()).message.find("0 bytes"), std::string::npos);
  stop_promptly(pipeline.get());
  EXPECT_EQ(bus.count(GST_MESSAGE_EOS), 0U);
  EXPECT_EQ(far_->message_count(), 0U);
  EXPECT_TRUE(far_->wait_closed());
}

TEST_F(SinkOverAChannel, UnknownSize) {
  Upload upload(near_);
  upload.play();
  upload.push(Bytes{1});
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "unknown-size");
  EXPECT_NE(error.message.find("\"size\""), std::string::npos) << error.message;
  EXPECT_EQ(far_->message_count(), 0U);
}

TEST_F(SinkOverAChannel, FewerBytesThanAnnounced) {
  Upload upload(near_);
  upload.announce(kChunk + 10);
  upload.play();
  upload.push(random_bytes(kChunk + 9), 1000);
  upload.end();
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "size-mismatch");
  EXPECT_NE(error.message.find("49161 of the 49162"), std::string::npos) << error.message;
  EXPECT_TRUE(far_->wait_closed()) << "the receiver has to notice";
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_EOS), 0U);
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_ERROR);
}

TEST_F(SinkOverAChannel, NoBytesAtAllThoughAnnounced) {
  Upload upload(near_);
  upload.announce(10);
  upload.play();
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkOverAChannel, MoreBytesThanAnnounced) {
  Upload upload(near_);
  upload.announce(10);
  upload.play();
  upload.push(random_bytes(11), 10);
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkOverAChannel, ChannelClosedByThePeerWhileIdle) {
  Upload upload(near_);
  upload.announce(10 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  gst_webrtc_data_channel_close(far_->channel());
  ASSERT_TRUE(near_.observer->wait_closed());
  upload.push(random_bytes(kChunk));
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_NE(error.message.find("channel was closed"), std::string::npos) << error.message;
}

TEST_F(SinkOverAChannel, ChannelClosedByThePeerInTheMiddle) {
  Upload upload(near_);
  const Bytes data = random_bytes(100 * kChunk);
  upload.announce(1000 * std::uint64_t{kChunk});
  upload.play();
  const auto received = std::make_shared<std::atomic<int>>(0);
  // Still open when the tenth message arrives, and many more are on their way.
  GstWebRTCDataChannel* channel = far_->channel();
  far_->set_on_message([received, channel](std::span<const std::uint8_t>) {
    if (++*received == 10) gst_webrtc_data_channel_close(channel);
  });
  for (int i = 0; i < 10; ++i) upload.push(data, data.size());
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
  far_->set_on_message(nullptr);
}

TEST_F(SinkOverAChannel, ChannelClosedInsteadOfConfirmed) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  gst_webrtc_data_channel_close(far_->channel());
  EXPECT_EQ(upload.error().code, "peer-gone");
}

TEST_F(SinkOverAChannel, ClosedChannelFromTheStart) {
  gst_webrtc_data_channel_close(near_.channel.get());
  ASSERT_TRUE(near_.observer->wait_closed());
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  EXPECT_EQ(upload.error().code, "peer-gone");
}

TEST_F(SinkOverAChannel, PeerClosesTheConnection) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  upload.announce(10 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  pair_.close_connection(Side::kAnswerer);
  // The streaming thread has to be waiting for something to notice: for a confirmation, here.
  upload.push(random_bytes(9 * kChunk));
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
}

TEST_F(SinkOverAChannel, TeardownWhileWaitingForRoom) {
  // A receiver that takes nothing does not stop webrtcbin from sending, so the packets are stopped
  // right behind SCTP.
  const GstPtr<GstElement> encoder = [&] {
    GstPtr<GstElement> found;
    GstIterator* elements =
        gst_bin_iterate_all_by_element_factory_name(GST_BIN(pair_.offerer()), inner::kSctpEncoder);
    GValue item = G_VALUE_INIT;
    if (gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
      found = ref_gst(static_cast<GstElement*>(g_value_get_object(&item)));
      g_value_unset(&item);
    }
    gst_iterator_free(elements);
    return found;
  }();
  ASSERT_TRUE(encoder);
  const GstPtr<GstPad> source(gst_element_get_static_pad(encoder.get(), "src"));
  const gulong probe = gst_pad_add_probe(
      source.get(), GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM,
      [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }, nullptr, nullptr);

  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  const Bytes data = random_bytes(8'000'000);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  // SCTP's own buffer is full and the channel's as well: no room.
  ASSERT_TRUE(eventually(
      [&] { return near_.observer->buffered_amount() + kChunk + kV1HeaderSize > 262144; },
      kDeadline));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  gst_pad_remove_probe(source.get(), probe);
}

TEST_F(SinkOverAChannel, TeardownInTheMiddleIsSeenByThePeer) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  const Bytes data = random_bytes(20'000'000);
  upload.announce(2 * data.size());
  upload.play();
  upload.push(data);
  ASSERT_TRUE(far_->wait_messages(20));
  const auto begin = std::chrono::steady_clock::now();
  stop_promptly(upload.pipeline());
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  // Unless the message that was under way could not be finished in time, on a machine that had no
  // time for it: then it is given up, and with it the closing.
  if (took < SenderChannel::kPatience) {
    EXPECT_TRUE(far_->wait_closed());
  }
}

TEST_F(SinkOverAChannel, TeardownWhileWaitingForTheConfirmation) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(SinkOverAChannel, FlushInTheMiddleIsAnError) {
  Upload upload(near_);
  upload.announce(2 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  gst_element_send_event(upload.source(), gst_event_new_flush_start());
  gst_element_send_event(upload.source(), gst_event_new_flush_stop(TRUE));
  upload.push(random_bytes(kChunk));
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

}  // namespace
}  // namespace webrtcupload::test
