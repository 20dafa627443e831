// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink in wire format v2 against a receiver that says just what a test wants: errors
// that cost a connection only, last words, time, and what is kept.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "sending/kept_blocks.h"
#include "sending/sender_channel.h"
#include "sending/sink_v2_fixture.h"

namespace webrtcupload::test {
namespace {

using Clock = std::chrono::steady_clock;

class SinkV2Rules : public SinkSpeaksV2 {
 protected:
  // An upload over near_ that has sent its first block. (The hello, a keepalive, the block.)
  void begin(Upload& upload, guint64 resume_timeout, std::uint64_t credit = 100 * kChunk) {
    g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), "resume-timeout", resume_timeout,
                 nullptr);
    upload.play();
    upload.push(std::span(data_).first(kChunk));
    ASSERT_TRUE(far_->wait_messages(1));
    say(ready_of(credit));
    ASSERT_TRUE(far_->wait_messages(3));
  }
  // A further channel over the same connection, which far_ is from now on.
  void attach(Upload& upload) {
    static std::atomic<int> number{0};
    const std::string label = "further" + std::to_string(++number);
    g_object_set(upload.sink(), "channel-label", label.c_str(), nullptr);
    gboolean attached = FALSE;
    g_signal_emit_by_name(upload.sink(), "attach", pair_.offerer(), &attached);
    ASSERT_TRUE(attached);
    far_ = pair_.incoming(PeerPair::Side::kAnswerer, label);
    ASSERT_TRUE(far_);
  }
  GstMessagePtr wait_news(Upload& upload, const std::string& name) {
    return upload.bus().wait(GST_MESSAGE_ELEMENT,
                             [full = "webrtcuploadsink-" + name](GstMessage* message) {
                               return gst_message_has_name(message, full.c_str());
                             });
  }

  const Bytes data_ = random_bytes(4 * kChunk);
};

TEST_F(SinkV2Rules, AResumableErrorCostsTheConnectionOnly) {
  Upload upload(near_);
  ASSERT_NO_FATAL_FAILURE(begin(upload, 3600 * GST_SECOND));
  const auto first = far_;
  say(control::Failure{.code = "corrupt-chunk", .message = "what came", .resumable = true});
  upload.push(std::span(data_).subspan(kChunk), kChunk);
  upload.end();
  const auto interrupted = wait_news(upload, "interrupted");
  ASSERT_TRUE(interrupted);
  EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(interrupted.get()), "reason"),
               "corrupt-chunk: what came");
  EXPECT_TRUE(first->wait_closed());
  ASSERT_NO_FATAL_FAILURE(attach(upload));
  ASSERT_TRUE(far_->wait_messages(1));
  const auto hello = std::get<control::Hello>(heard().at(0));
  EXPECT_EQ(hello.upload, ready_of(0).upload);
  say(ready_of(100 * kChunk));
  // Another hello, and all four blocks, since none of them was stored, and the end.
  ASSERT_TRUE(far_->wait_messages(6));
  say(control::Done{data_.size(), sum_of(data_)});
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_GT(stat(upload.sink(), "sent"), data_.size()) << "nothing was sent again";
}

// The receiver of the other channel is not that of the upload, and says so or talks nonsense.
TEST_F(SinkV2Rules, WhatAConnectionSaysThatWasNotLetInCostsItOnly) {
  Upload upload(near_);
  ASSERT_NO_FATAL_FAILURE(begin(upload, 0));
  const auto first = far_;
  for (const bool nonsense : {false, true}) {
    SCOPED_TRACE(nonsense);
    ASSERT_NO_FATAL_FAILURE(attach(upload));
    // It is noticed when there is something to send.
    ASSERT_TRUE(eventually([&] {
      upload.push(Bytes{0});
      return far_->message_count() > 0;
    }));
    if (nonsense) {
      ASSERT_TRUE(send_text(far_->channel(), "what?"));
    } else {
      control::Ready other = ready_of(kChunk);
      other.upload = *UploadId::parse("ffffffffffffffffffffffffffffffff");
      say(other);
    }
    ASSERT_TRUE(eventually([&] {
      upload.push(Bytes{0});
      return far_->ready_state() == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
    }));
    EXPECT_TRUE(wait_news(upload, "connection-lost"));
  }
  upload.end();
  far_ = first;
  ASSERT_TRUE(eventually([&] {
    const auto said = heard();
    return std::ranges::any_of(
        said, [](const auto& m) { return std::holds_alternative<control::End>(m); });
  }));
  for (const ControlMessage& message : heard()) {
    const auto* end = std::get_if<control::End>(&message);
    if (end) say(control::Done{end->size, *end->sha256});
  }
  EXPECT_EQ(upload.outcome(), "");
}

// A receiver answers a cancel, and then it is not waited for any longer.
TEST_F(SinkV2Rules, ACancelThatIsAnsweredTakesNoTime) {
  auto fastest = Clock::duration::max();
  for (int i = 0; i < 3; ++i) {
    V2Peer peer(far_->channel());
    Upload upload(near_);
    g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
    upload.play();
    upload.push(data_);
    ASSERT_TRUE(peer.wait_payload(data_.size()));
    const auto start = Clock::now();
    stop_promptly(upload.pipeline());
    fastest = std::min(fastest, Clock::now() - start);
    ASSERT_TRUE(peer.wait_said<control::Cancel>());
    EXPECT_EQ(peer.said_of<control::Cancel>().size(), 1U);
    next_v2_channel();
  }
  // Of three, on a machine that is busy.
  EXPECT_LT(fastest, SenderChannel::kPatience);
}

// This receiver never answers, and the sink waits a second for it.
TEST_F(SinkV2Rules, AStateChangeDoesNotWaitForLastWords) {
  auto fastest = Clock::duration::max();
  for (int i = 0; i < 3; ++i) {
    Upload upload(near_);
    ASSERT_NO_FATAL_FAILURE(begin(upload, 0));
    ASSERT_TRUE(send_text(far_->channel(), "what?"));
    upload.push(std::span(data_).subspan(kChunk));
    upload.end();
    EXPECT_EQ(upload.error().code, "malformed-message");
    const auto start = Clock::now();
    EXPECT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
    fastest = std::min(fastest, Clock::now() - start);
    stop_promptly(upload.pipeline());
    next_v2_channel();
  }
  // It may have waited for a while already.
  EXPECT_LT(fastest, SenderChannel::kPatience / 2);
}

TEST_F(SinkV2Rules, AnEarlyDoneOfAnotherFileIsNoticedWhileTheSourceBringsMore) {
  Upload upload(near_);
  ASSERT_NO_FATAL_FAILURE(begin(upload, 0));
  say(control::Done{kChunk, sum_of(Bytes(data_.begin(), data_.begin() + kChunk))});
  ASSERT_TRUE(near_.observer->wait_messages(2));
  // No end of the stream.
  upload.push(std::span(data_).subspan(kChunk), kChunk);
  EXPECT_EQ(upload.error().code, "hash-mismatch");
}

TEST_F(SinkV2Rules, WithoutAConfirmTimeoutTheReceiverHasAllTheTime) {
  Upload upload(near_);
  g_object_set(upload.sink(), "confirm-timeout", guint64{0}, nullptr);
  ASSERT_NO_FATAL_FAILURE(begin(upload, 0));
  upload.push(std::span(data_).subspan(kChunk));
  upload.end();
  // The other three blocks, and the end.
  ASSERT_TRUE(far_->wait_messages(7));
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  say(control::Done{data_.size(), sum_of(data_)});
  EXPECT_EQ(upload.outcome(), "");
}

// However much credit there is: bytes that may have to be sent again are in memory.
TEST_F(SinkV2Rules, WhatIsKeptIsBounded) {
  constexpr guint kLarge = 65'000;
  const Bytes data = random_bytes(KeptBlocks::kLimit + 20 * kLarge);
  Upload upload(near_);
  g_object_set(upload.sink(), "chunk-size", kLarge, nullptr);
  upload.announce(data.size());
  upload.play();
  upload.push(data, kLarge);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(2 * data.size()));
  const auto kept = [&] { return stat(upload.sink(), "sent"); };
  const std::uint64_t most = KeptBlocks::kLimit + kLarge;
  ASSERT_TRUE(eventually([&] { return kept() > KeptBlocks::kLimit - 4 * kLarge; }, kDeadline));
  // Nothing to wait for here but the absence of something.
  EXPECT_FALSE(eventually([&] { return kept() > most; }, std::chrono::milliseconds(100)));
  EXPECT_GE(gst_app_src_get_current_level_bytes(GST_APP_SRC(upload.source())), 10 * kLarge);
  // All of it is handled, and the rest goes on its way.
  say(control::Ack{.stored = kept(), .received = kept(), .credit = 2 * data.size()});
  ASSERT_TRUE(eventually([&] { return kept() == data.size(); }, kDeadline));
  say(control::Done{data.size(), sum_of(data)});
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_GT(stat(upload.sink(), "waited-for-credit"), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
