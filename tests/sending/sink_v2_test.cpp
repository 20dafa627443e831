// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink in wire format v2 over a real connection: uploads that end well.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "sending/sink_v2_fixture.h"
#include "support/odd_directory.h"
#include "webrtc/channel_getters.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

void expect_file(Upload& upload, const V2Peer& peer, const Bytes& data) {
  ASSERT_EQ(upload.outcome(), "");
  EXPECT_FALSE(peer.error()) << peer.error()->message;
  EXPECT_TRUE(peer.file() == data) << "the bytes differ";
  EXPECT_EQ(peer.sha256(), sum_of(data));
  EXPECT_FALSE(peer.was_overrun());
  EXPECT_EQ(text_property(upload.sink(), "sha256"), to_hex(sum_of(data)));
  EXPECT_TRUE(confirmed(upload.sink()));
  EXPECT_EQ(stat(upload.sink(), "bytes"), data.size());
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_COMPLETE);
}

TEST_F(SinkSpeaksV2, SendsAFileOfKnownSize) {
  for (const std::size_t size : {1U, kChunk - 1, kChunk, kChunk + 1, 12 * kChunk + 77}) {
    SCOPED_TRACE(size);
    const V2Peer peer(far_->channel());
    const Bytes data = random_bytes(size);
    Upload upload(near_);
    upload.announce(size);
    upload.play();
    upload.push(data, 10'000);
    upload.end();
    expect_file(upload, peer, data);
    EXPECT_EQ(peer.blocks(), (size + kChunk - 1) / kChunk);
    const auto hellos = peer.said_of<control::Hello>();
    ASSERT_EQ(hellos.size(), 1U);
    EXPECT_EQ(hellos[0].size, size);
    EXPECT_FALSE(hellos[0].sha256);
    EXPECT_FALSE(hellos[0].upload);
    EXPECT_TRUE(hellos[0].nonce);
    const auto ends = peer.said_of<control::End>();
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0], (control::End{size, sum_of(data)}));
    EXPECT_TRUE(peer.said_of<control::Cancel>().empty());
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2, SendsAStreamOfUnknownSize) {
  for (const std::size_t size : {std::size_t{5}, std::size_t{2 * kChunk}, std::size_t{100'000}}) {
    SCOPED_TRACE(size);
    const V2Peer peer(far_->channel());
    const Bytes data = random_bytes(size);
    Upload upload(near_);
    upload.play();
    upload.push(data, 7'000);
    upload.end();
    expect_file(upload, peer, data);
    EXPECT_FALSE(peer.said_of<control::Hello>().at(0).size);
    EXPECT_EQ(peer.said_of<control::End>().at(0), (control::End{size, sum_of(data)}));
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2, SendsAnEmptyFile) {
  const V2Peer peer(far_->channel());
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
  EXPECT_TRUE(message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS)
      << describe(message.get());
  EXPECT_EQ(peer.sha256(), sum_of({}));
  EXPECT_EQ(peer.said_of<control::Hello>().at(0).size, 0U);
  stop_promptly(pipeline.get());
  EXPECT_EQ(text_property(sink.get(), "sha256"), to_hex(sum_of({}))) << "kept in READY";
}

TEST_F(SinkSpeaksV2, SendsAnEmptyStream) {
  const V2Peer peer(far_->channel());
  Upload upload(near_);
  upload.play();
  upload.end();
  expect_file(upload, peer, {});
}

TEST_F(SinkSpeaksV2, NamesTheHashThatTheApplicationKnows) {
  const V2Peer peer(far_->channel());
  const Bytes data = random_bytes(100'000);
  Upload upload(near_);
  upload.announce(data.size());
  g_object_set(upload.sink(), "sha256", to_hex(sum_of(data)).c_str(), nullptr);
  upload.play();
  upload.push(data);
  upload.end();
  expect_file(upload, peer, data);
  EXPECT_EQ(peer.said_of<control::Hello>().at(0).sha256, sum_of(data));
  EXPECT_TRUE(peer.said_of<control::End>().empty()) << "the hello has said all";
}

TEST_F(SinkSpeaksV2, SaysWhatTheFileIsCalledAndIs) {
  const V2Peer peer(far_->channel());
  const Bytes data = random_bytes(1000);
  Upload upload(near_);
  upload.announce(data.size());
  g_object_set(upload.sink(), "file-name", "Fahrt im Schnee ❄.mp4", "content-type",
               std::string(300, 'x').c_str(), nullptr);
  upload.play();
  upload.push(data);
  upload.end();
  expect_file(upload, peer, data);
  const auto hello = peer.said_of<control::Hello>().at(0);
  EXPECT_EQ(hello.name, "Fahrt im Schnee ❄.mp4");
  EXPECT_EQ(hello.content_type, std::string(255, 'x'));
}

// The receiver has room for two blocks, and is slow.
TEST_F(SinkSpeaksV2, KeepsToASmallAndSlowCredit) {
  const V2Peer peer(far_->channel(),
                    {.limits = {.window = 2 * kChunk}, .pace = std::chrono::milliseconds(3)});
  const Bytes data = random_bytes(60 * kChunk + 5);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data, 30'000);
  upload.end();
  expect_file(upload, peer, data);
  // With the keepalive before them.
  EXPECT_LE(stat(upload.sink(), "buffered-peak"), 2 * (kChunk + kV2HeaderSize) + 1);
}

// However much credit there is.
TEST_F(SinkSpeaksV2, WhatWaitsInTheChannelStaysWithinTheLimit) {
  for (const guint64 limit : {guint64{200'000}, guint64{1}}) {
    SCOPED_TRACE(limit);
    const V2Peer peer(far_->channel());
    const Bytes data = random_bytes(6'000'000);
    Upload upload(near_);
    g_object_set(upload.sink(), "buffer-limit", limit, nullptr);
    upload.announce(data.size());
    upload.play();
    upload.push(data, 1'000'000);
    upload.end();
    expect_file(upload, peer, data);
    const guint64 peak = stat(upload.sink(), "buffered-peak");
    EXPECT_LE(peak, std::max<guint64>(limit, kV2HeaderSize + kChunk));
    EXPECT_GT(peak, 0U);
    next_v2_channel();
  }
}

// What the receiver has no room for stays with the source.
TEST_F(SinkSpeaksV2, TakesNothingFromItsSourceWithoutCredit) {
  V2Peer peer(far_->channel(), {.limits = {.window = 4 * kChunk}});
  const Bytes data = random_bytes(100 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(std::span(data).first(kChunk));
  ASSERT_TRUE(peer.wait_payload(kChunk));
  peer.hold(true);
  upload.push(std::span(data).subspan(kChunk), kChunk);
  upload.end();
  ASSERT_TRUE(peer.wait_payload(4 * kChunk));
  // It may have granted a little more before it was held.
  const guint64 waiting = gst_app_src_get_current_level_bytes(GST_APP_SRC(upload.source()));
  EXPECT_GE(waiting, data.size() - 8 * kChunk);
  EXPECT_LE(peer.payload(), 6 * kChunk);
  peer.hold(false);
  expect_file(upload, peer, data);
}

TEST_F(SinkSpeaksV2, BlocksAreAsSmallAsTheReceiverWants) {
  const V2Peer peer(far_->channel(), {.limits = {.max_chunk_size = 1000}});
  const Bytes data = random_bytes(20'500);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  upload.end();
  expect_file(upload, peer, data);
  EXPECT_EQ(peer.blocks(), 21U);
}

// What it says need make no sense.
TEST_F(SinkSpeaksV2, BlocksHaveAByteAtLeastAndFitAMessage) {
  for (const std::uint64_t most : {std::uint64_t{0}, control::kNumberLimit - 1}) {
    SCOPED_TRACE(most);
    const Bytes data = random_bytes(most == 0 ? 3 : kMaxBlockPayload + 3);
    Upload upload(near_);
    g_object_set(upload.sink(), "chunk-size", 65'528U, nullptr);
    upload.announce(data.size());
    upload.play();
    upload.push(data);
    upload.end();
    ASSERT_TRUE(far_->wait_messages(1));
    control::Ready ready = ready_of(control::kNumberLimit - 1);
    ready.max_payload = most;
    say(ready);
    const std::size_t blocks = most == 0 ? 3 : 2;
    // The hello, a keepalive, the blocks and the end.
    ASSERT_TRUE(far_->wait_messages(blocks + 3));
    EXPECT_EQ(far_->messages()[2].bytes.size(), most == 0 ? kV2HeaderSize + 1 : kMaxMessageSize);
    say(control::Done{data.size(), sum_of(data)});
    EXPECT_EQ(upload.outcome(), "");
    next_v2_channel();
  }
}

TEST_F(SinkSpeaksV2, WhatTheReceiverHasIsNotSent) {
  const Bytes data = random_bytes(3 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data, 10'000);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(1));
  control::Ready ready = ready_of(10 * kChunk);
  ready.have = {{100, 2 * kChunk}};
  say(ready);
  // The hello, a keepalive, two blocks and the end.
  ASSERT_TRUE(far_->wait_messages(5));
  const auto messages = far_->messages();
  EXPECT_EQ(messages[2].bytes.size(), kV2HeaderSize + 100);
  EXPECT_EQ(messages[3].bytes.size(), kV2HeaderSize + kChunk);
  say(control::Done{data.size(), sum_of(data)});
  EXPECT_EQ(upload.outcome(), "");
}

TEST_F(SinkSpeaksV2, PauseHoldsTheUploadAndPlayGoesOn) {
  V2Peer peer(far_->channel());
  const Bytes data = random_bytes(10 * kChunk);
  Upload upload(near_);
  upload.play();
  upload.push(std::span(data).first(5 * kChunk), kChunk);
  ASSERT_TRUE(peer.wait_payload(5 * kChunk));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  upload.push(std::span(data).subspan(5 * kChunk), kChunk);
  upload.end();
  // Nothing to wait for here but the absence of something.
  EXPECT_FALSE(peer.wait_payload(5 * kChunk + 1, std::chrono::milliseconds(100)));
  upload.play();
  expect_file(upload, peer, data);
}

TEST_F(SinkSpeaksV2, NothingIsSaidBeforeItPlays) {
  V2Peer peer(far_->channel());
  Upload upload(near_);
  ASSERT_NE(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  upload.end();
  EXPECT_FALSE(far_->wait_messages(1, std::chrono::milliseconds(100)));
  upload.play();
  expect_file(upload, peer, {});
}

TEST_F(SinkSpeaksV2, TheEndIsSentInPlayingOnly) {
  V2Peer peer(far_->channel());
  const Bytes data = random_bytes(kChunk + 5);
  Upload upload(near_);
  upload.play();
  upload.push(data);
  ASSERT_TRUE(peer.wait_payload(kChunk));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  upload.end();
  EXPECT_FALSE(peer.wait_payload(kChunk + 1, std::chrono::milliseconds(100)));
  upload.play();
  expect_file(upload, peer, data);
}

TEST_F(SinkSpeaksV2, PauseWhileItWaitsForTheReceiversWord) {
  V2Peer peer(far_->channel());
  const Bytes data = random_bytes(1000);
  Upload upload(near_);
  upload.play();
  upload.push(data);
  ASSERT_TRUE(peer.wait_said<control::Hello>());
  peer.hold(true);
  upload.end();
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  peer.hold(false);
  upload.play();
  expect_file(upload, peer, data);
}

// The sink reads it while it is paused, and looks at all of it when it plays again.
TEST_F(SinkSpeaksV2, WhatComesAfterTheDoneDoesNotCount) {
  const Bytes data = random_bytes(1000);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(kChunk));
  // The keepalive, the block and the end.
  ASSERT_TRUE(far_->wait_messages(4));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  say(control::Done{.size = data.size(), .sha256 = sum_of(data)});
  say(control::Failure{.code = "storage-failed", .message = "too late"});
  ASSERT_TRUE(send_text(far_->channel(), "no JSON"));
  // When this one has come, the sink has read those before it.
  say(control::Ack{});
  ASSERT_TRUE(near_.observer->wait_messages(5));
  upload.play();
  EXPECT_EQ(upload.outcome(), "");
}

// More than could be kept, while nobody looks at any.
TEST_F(SinkSpeaksV2, AFloodOfAnswersChangesNothing) {
  const Bytes data = random_bytes(2 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(std::span(data).first(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  say(ready_of(2 * kChunk));
  ASSERT_TRUE(far_->wait_messages(3));
  for (int i = 0; i < 5000; ++i) {
    say(control::Ack{.stored = kChunk, .received = kChunk, .credit = 2 * kChunk});
  }
  ASSERT_TRUE(send_text(far_->channel(), R"({"type": "of another version"})"));
  say(control::Hello{.size = 5});
  upload.push(std::span(data).subspan(kChunk));
  upload.end();
  ASSERT_TRUE(far_->wait_messages(5));
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  say(control::Done{data.size(), sum_of(data)});
  EXPECT_EQ(upload.outcome(), "");
}

TEST_F(SinkSpeaksV2, SpeaksWhatTheChannelSays) {
  {
    Upload upload(near_);
    g_object_set(upload.sink(), "protocol", 1, nullptr);
    EXPECT_EQ(set_state(upload.pipeline(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    EXPECT_NE(upload.error().message.find("\"webrtcupload.v2\""), std::string::npos);
  }
  next_channel();
  {
    Upload upload(near_);
    g_object_set(upload.sink(), "protocol", 2, nullptr);
    EXPECT_EQ(set_state(upload.pipeline(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    EXPECT_NE(upload.error().message.find("wire format v1"), std::string::npos);
  }
  expect_upload(random_bytes(1000), 1000);
}

TEST_F(SinkSpeaksV2, ANameForTheHashThatIsNoneIsRefused) {
  Upload upload(near_);
  g_object_set(upload.sink(), "sha256", "abc", nullptr);
  EXPECT_EQ(set_state(upload.pipeline(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_NE(upload.error().message.find("64 hexadecimal digits"), std::string::npos);
}

TEST(SinkMakesAV2Channel, ThatSaysSoAndIsClosedAtTheEnd) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  const Bytes data = random_bytes(200'000);
  Upload upload;
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), "protocol", 2, nullptr);
  upload.announce(data.size());
  upload.play();
  ASSERT_TRUE(pair.negotiate());
  const auto far = pair.incoming(Side::kAnswerer);
  ASSERT_TRUE(far);
  EXPECT_EQ(protocol_of(far->channel()), kV2Protocol);
  // Nothing is said before there is something to send.
  const V2Peer peer(far->channel());
  upload.push(data, 10'000);
  upload.end();
  expect_file(upload, peer, data);
  stop_promptly(upload.pipeline());
  EXPECT_TRUE(far->wait_closed());
}

}  // namespace
}  // namespace webrtcupload::test
