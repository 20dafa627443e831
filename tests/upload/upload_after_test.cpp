// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages that are no chunks, and those that come when the upload is over.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <string>

#include "upload/upload_faults.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// messages that count for nothing

TEST_F(UploadFaults, MessagesAfterCompletionAreIgnored) {
  start();
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(send_chunk(channel(), 0, 1, random_bytes(1000, 2)));
  ASSERT_TRUE(send_chunk(channel(), 7, 5, Bytes(10)));
  ASSERT_TRUE(send_text(channel(), "text"));
  ASSERT_TRUE(send_bytes(channel(), Bytes(3)));
  // Keepalives still come back, here after everything before them was handled.
  ASSERT_TRUE(send_bytes(channel(), Bytes{42}));
  ASSERT_TRUE(channel_.observer->wait_messages(1));
  EXPECT_EQ(receiver_->stat_u64("ignored"), 4U);
  EXPECT_EQ(receiver_->stat_u64("rejected"), 0U);
  EXPECT_EQ(receiver_->state(), "done");
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(UploadFaults, MessagesAfterAnErrorAreIgnored) {
  make_receiver("");
  // All of it is there when the first message is looked at.
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(receiver_->upload(), [blocker](auto*) {
    blocker->block();
    return false;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(send_chunk(channel(), 1, 2, Bytes(10)));
  ASSERT_TRUE(send_chunk(channel(), 9, 2, Bytes(10)));
  ASSERT_TRUE(send_text(channel(), "text"));
  ASSERT_TRUE(blocker->wait_blocked());
  ASSERT_TRUE(
      eventually([&] { return receiver_->stat_u64("backlog") >= 3 * 512 + 40; }, kDeadline));
  blocker->release();
  expect_failure({GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED, "unauthorized", {}});
  EXPECT_TRUE(eventually([&] { return receiver_->stat_u64("ignored") == 3; }, kDeadline));
  EXPECT_EQ(receiver_->stat_u64("rejected"), 0U);
  expect_told_once();
}

// -------------------------------------------------------------------------------------------------
// keepalives

TEST_F(UploadFaults, KeepalivesComeBackUnchanged) {
  start();
  ASSERT_TRUE(send_bytes(channel(), Bytes{0}));
  ASSERT_TRUE(send_bytes(channel(), Bytes{255}));
  ASSERT_TRUE(send_text(channel(), "k"));
  ASSERT_TRUE(channel_.observer->wait_messages(3));
  const auto echoes = channel_.observer->messages();
  EXPECT_EQ(echoes[0].bytes, Bytes{0});
  EXPECT_FALSE(echoes[0].is_text);
  EXPECT_EQ(echoes[1].bytes, Bytes{255});
  EXPECT_FALSE(echoes[1].is_text);
  EXPECT_EQ(echoes[2].bytes, Bytes{'k'});
  EXPECT_TRUE(echoes[2].is_text);
  EXPECT_EQ(receiver_->stat_u64("keepalives"), 3U);
  EXPECT_EQ(receiver_->state(), "idle");
}

// webrtcbin 1.22 cannot send an empty message (a critical), and hands NULL to the handlers when
// another peer does; so they are handed it here.
TEST_F(UploadFaults, EmptyMessagesAreKeepalivesWithoutAnEcho) {
  make_receiver("");
  GstPtr<GstWebRTCDataChannel> far;
  std::promise<void> arrived;
  const auto take = [&](GstWebRTCDataChannel* object) {
    far = ref_gst(object);
    arrived.set_value();
  };
  using Closure = std::function<void(GstWebRTCDataChannel*)>;
  receiver_->play();
  // After the element's own handler, which has the channel when this runs.
  const SignalConnection connection(pair_->answerer(), "on-data-channel",
                                    G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object,
                                                   Closure* function) { (*function)(object); }),
                                    Closure(take));
  connect();
  ASSERT_EQ(arrived.get_future().wait_for(kDeadline), std::future_status::ready);
  g_signal_emit_by_name(far.get(), "on-message-data", nullptr);
  g_signal_emit_by_name(far.get(), "on-message-string", nullptr);
  g_signal_emit_by_name(far.get(), "on-message-string", "");
  ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("keepalives") == 3; }, kDeadline));
  // And the channel is none the worse for it.
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(channel_.observer->message_count(), 0U);
}

GstPadProbeReturn keep_blocked(GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }

TEST_F(UploadFaults, FloodOfKeepalivesIsNotAFloodOfEchoes) {
  constexpr guint64 kFlood = 20'000;
  constexpr guint64 kHighMark = 64 * 1024;
  start("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0 idle-timeout=0");
  ASSERT_TRUE(ping_until(channel_, [&] { return channel_.observer->message_count() > 0; }));
  // From now on echoes do not get away: nothing enters the answerer's SCTP encoder any more. (What
  // the sender sends is still acknowledged, so it can go on.)
  GstIterator* iterator =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(pair_->answerer()), inner::kSctpEncoder);
  GValue item = G_VALUE_INIT;
  ASSERT_EQ(gst_iterator_next(iterator, &item), GST_ITERATOR_OK);
  const GstPtr<GstElement> encoder(GST_ELEMENT(g_value_dup_object(&item)));
  g_value_unset(&item);
  gst_iterator_free(iterator);
  ASSERT_NE(encoder->sinkpads, nullptr);
  const GstPtr<GstPad> pad = ref_gst(GST_PAD(encoder->sinkpads->data));
  const auto mask =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER);
  const gulong probe = gst_pad_add_probe(pad.get(), mask, keep_blocked, nullptr, nullptr);

  for (guint64 i = 0; i < kFlood; ++i) {
    ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
    if (i % 1000 == 0) {
      ASSERT_TRUE(
          eventually([&] { return channel_.observer->buffered_amount() < 500; }, kDeadline));
    }
  }
  EXPECT_TRUE(eventually([&] { return receiver_->stat_u64("keepalives") > kFlood; }, kDeadline))
      << receiver_->stat_u64("keepalives");

  gst_pad_remove_probe(pad.get(), probe);
  // Those that were kept come back now, those of later keepalives behind them.
  ASSERT_TRUE(channel_.observer->wait_messages(2));
  // (Asked again and again: there is no echo as long as too many of those have not left.)
  const auto is_text = [](const ChannelObserver::Message& message) { return message.is_text; };
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(send_text(channel(), "e"));
    return std::ranges::any_of(channel_.observer->messages(), is_text);
  }));
  const auto echoes = channel_.observer->messages();
  EXPECT_LT(std::ranges::find_if(echoes, is_text) - echoes.begin(), 1100);
}

}  // namespace
}  // namespace webrtcupload::test
