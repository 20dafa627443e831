// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink to webrtcupload in wire format v2 when connections are lost, or never come
// about.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "sending/sender_channel.h"
#include "sending/sink_v2_connections.h"
#include "webrtc/forged_certificate.h"

namespace webrtcupload::test {
namespace {

using Clock = std::chrono::steady_clock;

class SinkV2Lost : public SinkV2Connections {
 protected:
  // The last connection is lost, and the sink has noticed.
  void interrupt(guint64 resume_timeout, const std::string& receiver = "") {
    ASSERT_NO_FATAL_FAILURE(begin(file_.size(), receiver, resume_timeout));
    pairs_[0]->close_connection(Side::kAnswerer);
    push_all();
    ASSERT_TRUE(wait_news("interrupted"));
  }
  // A further connection that came to nothing. The rest of the file goes over the first.
  void expect_only_itself_harmed() {
    push(1'000'000);
    const auto lost = wait_news("connection-lost");
    ASSERT_TRUE(lost);
    guint remaining = 0;
    gst_structure_get_uint(gst_message_get_structure(lost.get()), "remaining", &remaining);
    EXPECT_EQ(remaining, 1U);
    push_all();
    expect_file();
    EXPECT_EQ(stat("sent"), file_.size());
    EXPECT_EQ(count_news("connection-lost"), 1);
    EXPECT_EQ(count_news("interrupted"), 0);
  }
};

TEST_F(SinkV2Lost, NobodyComesBack) {
  const auto begin = Clock::now();
  ASSERT_NO_FATAL_FAILURE(interrupt(400 * GST_MSECOND));
  const ErrorText error = upload_.error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(400));
  stop_promptly(upload_.pipeline());
  EXPECT_EQ(count_news("interrupted"), 1);
  EXPECT_EQ(count_news("resumed"), 0);
  EXPECT_EQ(progress_types(upload_.bus()).back(), GST_PROGRESS_TYPE_ERROR);
}

TEST_F(SinkV2Lost, TheSinkWaitsNoLongerThanTheReceiver) {
  ASSERT_NO_FATAL_FAILURE(interrupt(3600 * GST_SECOND, "resume-timeout=1000000000"));
  EXPECT_EQ(upload_.error().code, "peer-gone");
}

TEST_F(SinkV2Lost, WithoutATimeForItItFailsAtOnce) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  pairs_[0]->close_connection(Side::kAnswerer);
  push_all();
  EXPECT_EQ(upload_.error().code, "peer-gone");
  EXPECT_EQ(count_news("connection-lost"), 1);
  EXPECT_EQ(count_news("interrupted"), 0);
}

TEST_F(SinkV2Lost, StateChangesDoNotWaitForAnotherConnection) {
  ASSERT_NO_FATAL_FAILURE(interrupt(3600 * GST_SECOND));
  const auto begin = Clock::now();
  ASSERT_EQ(set_state(upload_.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  upload_.play();
  stop_promptly(upload_.pipeline());
  EXPECT_LT(Clock::now() - begin, kPrompt);
  EXPECT_EQ(upload_.bus().count(GST_MESSAGE_ERROR), 0U);
  EXPECT_EQ(progress_types(upload_.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
}

TEST_F(SinkV2Lost, AFlushDoesNotWaitForAnotherConnection) {
  ASSERT_NO_FATAL_FAILURE(interrupt(3600 * GST_SECOND));
  const auto begin = Clock::now();
  gst_element_send_event(upload_.source(), gst_event_new_flush_start());
  gst_element_send_event(upload_.source(), gst_event_new_flush_stop(TRUE));
  EXPECT_LT(Clock::now() - begin, kPrompt);
}

TEST_F(SinkV2Lost, ItGoesOnAgainAndAgain) {
  ASSERT_NO_FATAL_FAILURE(interrupt(60 * GST_SECOND));
  for (int i = 0; i < 2; ++i) {
    SCOPED_TRACE(i);
    PeerPair& pair = add_pair();
    ASSERT_NO_FATAL_FAILURE(attach(pair));
    ASSERT_TRUE(wait_news("resumed"));
    if (i > 0) break;
    pair.close_connection(Side::kAnswerer);
    ASSERT_TRUE(wait_news("interrupted") || upload_.bus().count(GST_MESSAGE_EOS) > 0);
  }
  expect_file();
}

// The peer has gone before it has let the upload begin, and nobody knows its id.
TEST_F(SinkV2Lost, ItBeginsAnewOverAnotherConnection) {
  PeerPair& pair = add_pair();
  ASSERT_TRUE(pair.start());
  g_object_set(upload_.sink(), "webrtcbin", pair.offerer(), "protocol", 2, "resume-timeout",
               60 * GST_SECOND, nullptr);
  upload_.announce(file_.size());
  upload_.play();
  ASSERT_TRUE(pair.negotiate());
  push_all();
  pair.close_connection(Side::kAnswerer);
  ASSERT_TRUE(wait_news("interrupted"));
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true");
  receiver_->play();
  ASSERT_NO_FATAL_FAILURE(attach(add_pair()));
  expect_file();
  EXPECT_EQ(count_news("ready"), 1);
  EXPECT_EQ(count_news("resumed"), 1);
}

TEST_F(SinkV2Lost, AConnectionThatNeverOpensHarmsNobody) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  PeerPair& pair = add_pair();
  ASSERT_TRUE(pair.start());
  ASSERT_TRUE(attach_to(upload_.sink(), pair.offerer()));
  push_all();
  expect_file();
  EXPECT_EQ(count_news("connection-lost"), 0);
}

TEST_F(SinkV2Lost, AConnectionThatIsRefusedHarmsNobody) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  // Another upload's receiver.
  PeerPair& pair = add_pair();
  ASSERT_TRUE(pair.start());
  ReceivingPipeline other(pair.answerer());
  other.play();
  ASSERT_TRUE(attach_to(upload_.sink(), pair.offerer()));
  ASSERT_TRUE(pair.negotiate());
  ASSERT_TRUE(eventually(
      [&] {
        push(1);
        return count_news("connection-lost") > 0;
      },
      kDeadline));
  ASSERT_NO_FATAL_FAILURE(expect_only_itself_harmed());
}

TEST_F(SinkV2Lost, AConnectionToSomebodyElseHarmsNobody) {
  if (webrtcbin_checks()) GTEST_SKIP() << "webrtcbin itself looks at it";
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  PeerPair& pair =
      add_pair({.observe_incoming = true, .rewrite_offer = nullptr, .rewrite_answer = forged});
  ASSERT_TRUE(pair.start());
  ASSERT_TRUE(attach_to(upload_.sink(), pair.offerer()));
  ASSERT_TRUE(pair.negotiate());
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  ASSERT_TRUE(eventually(
      [&] {
        push(1);
        return count_news("connection-lost") > 0;
      },
      kDeadline));
  ASSERT_NO_FATAL_FAILURE(expect_only_itself_harmed());
  EXPECT_EQ(far->message_count(), 0U) << "it was told something";
}

TEST_F(SinkV2Lost, MoreConnectionsThanTheReceiverWants) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size(), "max-connections=1"));
  ASSERT_NO_FATAL_FAILURE(attach(add_pair()));
  // The one that was quiet longest has to go.
  ASSERT_TRUE(eventually(
      [&] {
        push(1);
        return count_news("connection-lost") > 0;
      },
      kDeadline));
  const auto lost = wait_news("connection-lost");
  ASSERT_TRUE(lost);
  const std::string reason =
      gst_structure_get_string(gst_message_get_structure(lost.get()), "reason");
  EXPECT_TRUE(reason.starts_with("too-many-channels: ")) << reason;
  push_all();
  expect_file();
}

TEST_F(SinkV2Lost, AnErrorThatEndsTheUploadEndsItOnAllConnections) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size(), "", 3600 * GST_SECOND));
  ASSERT_NO_FATAL_FAILURE(join(add_pair()));
  g_signal_emit_by_name(receiver_->upload(), "cancel");
  push_all();
  const ErrorText error = upload_.error();
  EXPECT_EQ(error.code, "cancelled");
  EXPECT_EQ(count_news("interrupted"), 0);
}

TEST_F(SinkV2Lost, TheReceiverIsToldOnceThatTheSenderStops) {
  ASSERT_NO_FATAL_FAILURE(begin(file_.size(), "", 3600 * GST_SECOND));
  ASSERT_NO_FATAL_FAILURE(join(add_pair()));
  stop_promptly(upload_.pipeline());
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "cancelled");
  EXPECT_NE(error.message.find("the sender was stopped"), std::string::npos) << error.message;
}

// A source with buffers of its own that it cannot do without.
TEST_F(SinkV2Lost, ASourceWithTwoBuffersGetsThemBack) {
  file_ = random_bytes(1'000'000);
  ASSERT_NO_FATAL_FAILURE(begin(file_.size()));
  const GstPtr<GstBufferPool> pool(gst_buffer_pool_new());
  constexpr guint kSize = 10'000;
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, nullptr, kSize, 2, 2);
  ASSERT_TRUE(gst_buffer_pool_set_config(pool.get(), config));
  ASSERT_TRUE(gst_buffer_pool_set_active(pool.get(), TRUE));
  // What goes on its way now is not acknowledged.
  const auto gate = ReceiveGate::find(pairs_[0]->answerer());
  ASSERT_TRUE(gate);
  gate->close();
  while (pushed_ < file_.size()) {
    GstBuffer* buffer = nullptr;
    ASSERT_TRUE(eventually(
        [&] {
          GstBufferPoolAcquireParams params{};
          params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
          return gst_buffer_pool_acquire_buffer(pool.get(), &buffer, &params) == GST_FLOW_OK;
        },
        kDeadline));
    const std::size_t size = std::min<std::size_t>(kSize, file_.size() - pushed_);
    gst_buffer_fill(buffer, 0, file_.data() + pushed_, size);
    gst_buffer_set_size(buffer, static_cast<gssize>(size));
    ASSERT_EQ(gst_app_src_push_buffer(GST_APP_SRC(upload_.source()), buffer), GST_FLOW_OK);
    pushed_ += size;
  }
  EXPECT_LT(receiver_->stat_u64("bytes"), file_.size());
  gate->open();
  upload_.end();
  expect_file();
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

}  // namespace
}  // namespace webrtcupload::test
