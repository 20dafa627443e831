// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink in wire format v2 over a real connection: uploads that the receiver refuses,
// that lose it, or that are given up.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/error.h"
#include "glib/elements_in.h"
#include "sending/sink_v2_fixture.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

struct Refusal {
  std::string code;
  std::string message;
  gboolean resumable = FALSE;
  guint64 retry_after = 0;
};

// The one error that the sink posts.
Refusal refusal(Upload& upload) {
  const auto message =
      upload.bus().wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_ERROR) {
    ADD_FAILURE() << "no error but: " << describe(message.get());
    return {};
  }
  const ErrorText text = error_text(message.get());
  Refusal refusal{.code = text.code, .message = text.message};
  const GstStructure* details = nullptr;
  gst_message_parse_error_details(message.get(), &details);
  EXPECT_TRUE(gst_structure_get_boolean(details, "resumable", &refusal.resumable));
  gst_structure_get_uint64(details, "retry-after", &refusal.retry_after);
  return refusal;
}

// The sink's: its source posts one of its own when it learns that nothing is taken any more.
std::ptrdiff_t errors(Upload& upload) {
  return std::ranges::count_if(upload.bus().all(GST_MESSAGE_ERROR), [&](const auto& message) {
    return GST_MESSAGE_SRC(message.get()) == GST_OBJECT(upload.sink());
  });
}

// Stops the packets of a webrtcbin right behind SCTP. What arrives still does.
class BlockedSending {
 public:
  explicit BlockedSending(GstElement* webrtcbin)
      : pad_(gst_element_get_static_pad(
            element_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder).get(), "src")),
        probe_(gst_pad_add_probe(
            pad_.get(), GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM,
            [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }, nullptr,
            nullptr)) {}
  ~BlockedSending() { gst_pad_remove_probe(pad_.get(), probe_); }
  BlockedSending(const BlockedSending&) = delete;
  BlockedSending& operator=(const BlockedSending&) = delete;

 private:
  const GstPtr<GstPad> pad_;
  const gulong probe_;
};

class SinkSpeaksV2InVain : public SinkSpeaksV2 {
 protected:
  // An upload that has sent its first block, and waits for more to send.
  void begin(Upload& upload, std::uint64_t credit = 10 * kChunk) {
    upload.announce(4 * kChunk);
    upload.play();
    upload.push(random_bytes(kChunk));
    ASSERT_TRUE(far_->wait_messages(1));
    say(ready_of(credit));
    // And a keepalive.
    ASSERT_TRUE(far_->wait_messages(credit < kChunk ? 2 : 3));
  }
  void expect_cancelled(Upload& upload) {
    EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
    EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  }
  std::optional<control::Cancel> cancel() {
    EXPECT_TRUE(far_->wait_closed());
    for (const ControlMessage& message : heard()) {
      if (const auto* said = std::get_if<control::Cancel>(&message)) return *said;
    }
    return std::nullopt;
  }
};

TEST_F(SinkSpeaksV2InVain, EachErrorOfTheReceiverIsTold) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kSizeMismatch); ++i) {
    const std::string code(to_string(static_cast<ErrorCode>(i)));
    SCOPED_TRACE(code);
    Upload upload(near_);
    begin(upload);
    say(control::Failure{.code = code,
                         .message = "what is wrong with number " + std::to_string(i),
                         .resumable = i % 2 == 1,
                         .retry_after = 100 + i});
    // The streaming thread has to come to notice.
    upload.push(random_bytes(3 * kChunk), kChunk);
    upload.end();
    const Refusal told = refusal(upload);
    EXPECT_EQ(told.code, code);
    EXPECT_NE(told.message.find("number " + std::to_string(i) + "."), std::string::npos)
        << told.message;
    EXPECT_EQ(told.resumable, i % 2 == 1);
    EXPECT_EQ(told.retry_after, 100U + i);
    stop_promptly(upload.pipeline());
    EXPECT_EQ(errors(upload), 1);
    EXPECT_EQ(upload.bus().count(GST_MESSAGE_EOS), 0U);
    EXPECT_FALSE(cancel());
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2InVain, AnErrorThatOnlyALaterVersionKnowsIsTold) {
  Upload upload(near_);
  begin(upload);
  upload.push(random_bytes(3 * kChunk));
  upload.end();
  say(control::Failure{.code = "of-the-future", .message = "wait and see"});
  const Refusal told = refusal(upload);
  EXPECT_EQ(told.code, "of-the-future");
  EXPECT_EQ(told.retry_after, 0U);
  EXPECT_FALSE(told.resumable);
}

TEST_F(SinkSpeaksV2InVain, TheReceiverRefusesTheUpload) {
  const V2Peer peer(far_->channel(), {.authorizes = false});
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  EXPECT_EQ(refusal(upload).code, "unauthorized");
  EXPECT_EQ(peer.payload(), 0U);
}

TEST_F(SinkSpeaksV2InVain, TheFileIsTooLarge) {
  const V2Peer peer(far_->channel(), {.limits = {.max_size = 100'000}});
  Upload upload(near_);
  upload.announce(100'001);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  EXPECT_EQ(refusal(upload).code, "too-large");
}

TEST_F(SinkSpeaksV2InVain, TheStreamIsTooLarge) {
  const V2Peer peer(far_->channel(), {.limits = {.max_size = 100'000}});
  Upload upload(near_);
  upload.play();
  upload.push(random_bytes(200'000), kChunk);
  upload.end();
  const Refusal told = refusal(upload);
  EXPECT_EQ(told.code, "too-large");
  EXPECT_NE(told.message.find("at most 100000"), std::string::npos) << told.message;
}

TEST_F(SinkSpeaksV2InVain, TheReceiverFailsInTheMiddle) {
  V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.announce(4 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(peer.wait_payload(kChunk));
  peer.fail(ErrorCode::kStorageFailed);
  upload.push(random_bytes(3 * kChunk));
  upload.end();
  EXPECT_EQ(refusal(upload).code, "storage-failed");
}

TEST_F(SinkSpeaksV2InVain, AnErrorCountsThoughTheChannelIsClosedAfterIt) {
  Upload upload(near_);
  begin(upload);
  say(control::Failure{.code = "storage-failed", .message = "the disk is full"});
  ASSERT_TRUE(near_.observer->wait_messages(2));
  gst_webrtc_data_channel_close(far_->channel());
  ASSERT_TRUE(near_.observer->wait_closed());
  upload.push(random_bytes(3 * kChunk));
  EXPECT_EQ(refusal(upload).code, "storage-failed");
}

TEST_F(SinkSpeaksV2InVain, AnErrorIsHeardWhileThereIsNoRoom) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(1000 * kChunk));
  ASSERT_TRUE(far_->wait_messages(3));
  {
    const BlockedSending blocked(pair_.offerer());
    upload.push(random_bytes(8'000'000));
    // SCTP takes no more, and neither does the channel; for a while, since SCTP fills up by steps.
    int full = 0;
    ASSERT_TRUE(eventually(
        [&] {
          const bool is_full = near_.observer->buffered_amount() + kChunk + kV2HeaderSize > 262144;
          full = is_full ? full + 1 : 0;
          return full > 100;
        },
        kDeadline));
    say(control::Failure{.code = "storage-failed", .message = "the disk is full"});
    EXPECT_EQ(refusal(upload).code, "storage-failed");
  }
  stop_promptly(upload.pipeline());
}

TEST_F(SinkSpeaksV2InVain, TheFileIsNotTheOneThatWasNamed) {
  const V2Peer peer(far_->channel());
  const Bytes data = random_bytes(2 * kChunk);
  Upload upload(near_);
  g_object_set(upload.sink(), "sha256", to_hex(sum_of(Bytes{1})).c_str(), nullptr);
  upload.play();
  upload.push(data);
  upload.end();
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "hash-mismatch");
  EXPECT_NE(error.message.find(to_hex(sum_of(data))), std::string::npos) << error.message;
  EXPECT_TRUE(far_->wait_closed());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_EOS), 0U);
}

TEST_F(SinkSpeaksV2InVain, TheReceiverHasAnotherFile) {
  for (const bool early : {false, true}) {
    SCOPED_TRACE(early);
    const Bytes data = random_bytes(kChunk);
    Upload upload(near_);
    upload.play();
    upload.push(data);
    ASSERT_TRUE(far_->wait_messages(1));
    say(ready_of(10 * kChunk));
    if (!early) {
      upload.end();
      ASSERT_TRUE(far_->wait_messages(4));
    }
    say(control::Done{data.size(), sum_of(Bytes{1})});
    if (early) upload.end();
    const ErrorText error = upload.error();
    EXPECT_EQ(error.code, "hash-mismatch");
    EXPECT_NE(error.message.find(to_hex(sum_of(Bytes{1}))), std::string::npos) << error.message;
    stop_promptly(upload.pipeline());
    EXPECT_EQ(upload.bus().count(GST_MESSAGE_EOS), 0U);
    next_v2_channel();
  }
}

// The named hash is known to the receiver, so that it can say anything.
TEST_F(SinkSpeaksV2InVain, TheReceiverConfirmsAHashThatTheFileHasNot) {
  const Bytes data = random_bytes(1000);
  const Sha256Sum named = sum_of(Bytes{1});
  Upload upload(near_);
  g_object_set(upload.sink(), "sha256", to_hex(named).c_str(), nullptr);
  upload.announce(data.size());
  upload.play();
  upload.push(std::span(data).first(500));
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(10 * kChunk));
  say(control::Done{data.size(), named});
  ASSERT_TRUE(near_.observer->wait_messages(2));
  upload.push(std::span(data).subspan(500));
  upload.end();
  EXPECT_EQ(upload.error().code, "hash-mismatch");
}

TEST_F(SinkSpeaksV2InVain, WhatIsNoControlMessageIsOneClearError) {
  const std::string deep(20'000, '[');
  for (const std::string& text :
       {std::string("hello"), std::string("[]"), std::string("{\"type\": 5}"),
        std::string("{\"type\": \"ack\"}"), std::string("{\"type\": \"ack\", \"stored\": -1}"),
        std::string("{\"type\": \"error\", \"code\": 5}"), std::string("\xff\xfe{}"), deep,
        "{\"type\": \"later\", \"x\": \"" + std::string(17'000, 'x') + "\"}"}) {
    SCOPED_TRACE(text.size());
    Upload upload(near_);
    begin(upload);
    ASSERT_TRUE(send_text(far_->channel(), text));
    ASSERT_TRUE(send_text(far_->channel(), "and again"));
    upload.push(random_bytes(3 * kChunk));
    upload.end();
    const ErrorText error = upload.error();
    EXPECT_EQ(error.code, "malformed-message");
    EXPECT_NE(error.message.find("the receiver"), std::string::npos) << error.message;
    stop_promptly(upload.pipeline());
    EXPECT_EQ(errors(upload), 1);
    EXPECT_TRUE(cancel()) << "the receiver is told";
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2InVain, ABinaryMessageOfTheReceiverIsAnError) {
  Upload upload(near_);
  begin(upload);
  ASSERT_TRUE(send_bytes(far_->channel(), Bytes{1}));
  ASSERT_TRUE(send_bytes(far_->channel(), Bytes{1, 2}));
  upload.push(random_bytes(3 * kChunk));
  upload.end();
  EXPECT_EQ(upload.error().code, "malformed-message");
}

TEST_F(SinkSpeaksV2InVain, WhatComesBeforeTheHelloDoesNotCount) {
  ASSERT_TRUE(send_text(far_->channel(), "garbage"));
  ASSERT_TRUE(send_bytes(near_.channel.get(), Bytes{0}));
  ASSERT_TRUE(far_->wait_messages(1));
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  ASSERT_TRUE(send_text(far_->channel(), "garbage"));
  ASSERT_TRUE(near_.observer->wait_messages(2));
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  say(ready_of(10));
  ASSERT_TRUE(far_->wait_messages(5));
  say(control::Done{3, sum_of(Bytes{1, 2, 3})});
  EXPECT_EQ(upload.outcome(), "");
}

TEST_F(SinkSpeaksV2InVain, TheReceiverGoes) {
  enum class When { kBeforeReady, kWithoutCredit, kInTheMiddle, kBeforeDone };
  for (const When when :
       {When::kBeforeReady, When::kWithoutCredit, When::kInTheMiddle, When::kBeforeDone}) {
    SCOPED_TRACE(static_cast<int>(when));
    const Bytes data = random_bytes(2 * kChunk);
    Upload upload(near_);
    upload.announce(data.size());
    upload.play();
    upload.push(std::span(data).first(when == When::kBeforeDone ? data.size() : kChunk));
    ASSERT_TRUE(far_->wait_messages(1));
    if (when != When::kBeforeReady) {
      say(ready_of(when == When::kWithoutCredit ? 0 : data.size()));
      ASSERT_TRUE(near_.observer->wait_messages(1));
    }
    if (when == When::kInTheMiddle) {
      ASSERT_TRUE(far_->wait_messages(3));
    }
    if (when == When::kBeforeDone) {
      ASSERT_TRUE(far_->wait_messages(5));
    }
    gst_webrtc_data_channel_close(far_->channel());
    ASSERT_TRUE(near_.observer->wait_closed());
    if (when == When::kInTheMiddle) upload.push(std::span(data).subspan(kChunk));
    const ErrorText error = upload.error();
    EXPECT_EQ(error.code, "peer-gone");
    EXPECT_NE(error.message.find("channel was closed"), std::string::npos) << error.message;
    stop_promptly(upload.pipeline());
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2InVain, TheReceiverNeverSaysDone) {
  Upload upload(near_);
  g_object_set(upload.sink(), "confirm-timeout", guint64{GST_MSECOND}, nullptr);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(10));
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "idle-timeout");
  EXPECT_NE(error.message.find("0 of 3 bytes"), std::string::npos) << error.message;
  EXPECT_TRUE(cancel());
}

TEST_F(SinkSpeaksV2InVain, FewerBytesThanAnnounced) {
  V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.announce(kChunk + 10);
  upload.play();
  upload.push(random_bytes(kChunk + 9), 1000);
  upload.end();
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "size-mismatch");
  EXPECT_NE(error.message.find("49161 of the 49162"), std::string::npos) << error.message;
  ASSERT_TRUE(peer.wait_said<control::Cancel>());
  EXPECT_NE(peer.said_of<control::Cancel>().at(0).reason->find("49161"), std::string::npos);
  EXPECT_EQ(peer.error()->code, ErrorCode::kCancelled);
}

TEST_F(SinkSpeaksV2InVain, MoreBytesThanAnnounced) {
  const V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.announce(10);
  upload.play();
  upload.push(random_bytes(11));
  EXPECT_EQ(upload.error().code, "size-mismatch");
  EXPECT_EQ(peer.payload(), 0U);
}

TEST_F(SinkSpeaksV2InVain, FlushInTheMiddleIsAnError) {
  V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(peer.wait_payload(kChunk));
  gst_element_send_event(upload.source(), gst_event_new_flush_start());
  gst_element_send_event(upload.source(), gst_event_new_flush_stop(TRUE));
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkSpeaksV2InVain, TeardownWhileItWaitsToBeLetIn) {
  Upload upload(near_);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  stop_promptly(upload.pipeline());
  expect_cancelled(upload);
  EXPECT_TRUE(cancel());
}

TEST_F(SinkSpeaksV2InVain, TeardownWhileItWaitsForCredit) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  begin(upload, kChunk - 1);
  stop_promptly(upload.pipeline());
  expect_cancelled(upload);
  const auto said = cancel();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->reason, "the sender was stopped");
}

TEST_F(SinkSpeaksV2InVain, TeardownWhileItWaitsForItsSource) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  begin(upload);
  stop_promptly(upload.pipeline());
  expect_cancelled(upload);
  EXPECT_TRUE(cancel());
}

TEST_F(SinkSpeaksV2InVain, TeardownWhileItWaitsForTheReceiversWord) {
  Upload upload(near_);
  begin(upload);
  upload.push(random_bytes(3 * kChunk), kChunk);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(7));
  stop_promptly(upload.pipeline());
  expect_cancelled(upload);
  EXPECT_TRUE(cancel());
}

TEST_F(SinkSpeaksV2InVain, TeardownBeforeTheHelloSaysNothing) {
  Upload upload(near_);
  upload.play();
  stop_promptly(upload.pipeline());
  EXPECT_TRUE(far_->wait_closed());
  EXPECT_EQ(far_->message_count(), 0U);
}

TEST_F(SinkSpeaksV2InVain, TeardownAfterTheEndSaysNothing) {
  const V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.play();
  upload.push(Bytes{1});
  upload.end();
  ASSERT_EQ(upload.outcome(), "");
  stop_promptly(upload.pipeline());
  EXPECT_TRUE(peer.said_of<control::Cancel>().empty());
  EXPECT_EQ(near_.observer->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
      << "the application's channel is left to it";
}

TEST(SinkMakesAV2Channel, TeardownBeforeItOpens) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  Upload upload;
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), "protocol", 2, nullptr);
  upload.play();
  upload.push(random_bytes(10));
  ASSERT_TRUE(upload.bus().wait(GST_MESSAGE_PROGRESS));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
