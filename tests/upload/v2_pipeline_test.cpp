// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads in wire format v2 beside others, and in the pipeline of a webrtcbin.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "upload/stoppable_disk.h"
#include "upload/upload_source.h"
#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

// The last webrtcbin attached is in another pipeline.
TEST(V2Pipeline, EndsAlsoWhenAnotherConnectionHasJoined) {
  PeerPair pair({.observe_incoming = false});
  GstElement* upload = gst_element_factory_make("webrtcupload", nullptr);
  g_object_set(upload, "webrtcbin-name", "pc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "async", FALSE, nullptr);
  pair.add(Side::kAnswerer, upload);
  pair.add(Side::kAnswerer, sink);
  ASSERT_TRUE(gst_element_link(upload, sink));
  const Bytes file = random_bytes(300'000);
  V2Client client(file, {.first = 100'000});
  client.add(connect_v2(pair));
  ASSERT_TRUE(client.run_until_stored(100'000));
  PeerPair second({.observe_incoming = false});
  gboolean attached = FALSE;
  g_signal_emit_by_name(upload, "attach", second.answerer(), &attached);
  ASSERT_TRUE(attached);
  client.add(connect_v2(second));
  ASSERT_TRUE(client.run([&] { return client.sender().connections() == 2; }));
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  EXPECT_TRUE(pair.bus(Side::kAnswerer).wait(GST_MESSAGE_EOS));
}

TEST_F(V2Upload, OneInV1AndThenOneInV2OverOneElement) {
  start();
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_file(channel.channel.get(), file_));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(stat_text("protocol"), "v1");
  gst_element_set_state(receiver_->pipeline(), GST_STATE_READY);
  const std::size_t former = receiver_->bytes().size();
  receiver_->play();
  V2Client client(file_);
  client.add(open_v2(pair_));
  ASSERT_TRUE(client.run_to_end());
  ASSERT_TRUE(witness_->wait_state("done"));
  EXPECT_EQ(stat_text("protocol"), "v2");
  EXPECT_EQ(stat_text("sha256"), sha256_of(file_));
  EXPECT_TRUE(eventually([&] { return receiver_->bytes().size() == former + file_.size(); }));
}

// Of two elements with the same label the first one has all channels of its upload.
TEST_F(V2Upload, OverOneWebrtcbinEachElementHasChannelsOfItsLabel) {
  start();
  ReceivingPipeline other(pair_.answerer(), "channel-label=other");
  other.play();
  V2Client client(file_, {.first = 100'000});
  client.add(connect_v2(pair_));
  ASSERT_TRUE(client.run_until_stored(100'000));
  const Bytes file = random_bytes(200'000, 9);
  V2Client second(file);
  second.add(open_v2(pair_, "other"));
  ASSERT_TRUE(second.run_to_end());
  ASSERT_TRUE(other.wait_eos());
  EXPECT_EQ(other.bytes(), file);
  client.add(open_v2(pair_));
  ASSERT_TRUE(client.run([&] { return client.sender().connections() == 2; }));
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

// As the server does when a peer's connection has stopped.
TEST_F(V2Upload, AWebrtcbinThatIsDetachedInterrupts) {
  connect();
  V2Client client(file_, {.first = 100'000});
  const ChannelId lost = client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(100'000));
  UploadSource::of(upload())->detach(pair_.answerer());
  ASSERT_TRUE(eventually([&] { return interrupted(); }));
  EXPECT_EQ(receiver_->stat_uint("connections"), 0U);
  client.lose(lost);
  // None of its channels is taken any more.
  const auto late = open_v2(pair_);
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  client.add(connect_v2(second));
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
  EXPECT_EQ(late.observer->message_count(), 0U);
}

// Nothing holds it back any more, and nothing that it sends is kept.
TEST_F(V2Upload, AStrangerThatIsSentAwayFillsNoMemory) {
  StoppableDisk disk;
  connect("window=65536 idle-timeout=0");
  V2Client client(file_, {.first = 100'000});
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(100'000));
  const auto stranger = open_v2(pair_);
  ASSERT_TRUE(say(stranger.channel.get(), hello_of(file_)));
  ASSERT_TRUE(wait_for<control::Failure>(*stranger.observer));
  disk.stop();
  client.send_all();
  ASSERT_TRUE(client.run([&] { return disk.is_waited_for(); }));
  const Bytes message = random_bytes(50'000);
  for (std::size_t sent = 0; sent < Inbox::kOverloadFloor + 1024 * 1024; sent += message.size()) {
    ASSERT_TRUE(eventually([&] { return stranger.observer->buffered_amount() < 256'000; }));
    ASSERT_TRUE(send_bytes(stranger.channel.get(), message));
  }
  ASSERT_TRUE(eventually([&] { return stranger.observer->buffered_amount() == 0; }));
  EXPECT_LT(receiver_->stat_u64("backlog-peak"), 1024 * 1024U);
  disk.release();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

// Whoever keeps to the credit does not fill it.
TEST_F(V2Upload, WithFailWhenFullASlowDiskFailsNobodyWhoKeepsToTheCredit) {
  const auto storage = stop_storage();
  file_ = random_bytes(3 * 1024 * 1024);
  connect("when-full=fail window=1048576 backlog-high=65536 backlog-low=0 idle-timeout=0");
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run([&] { return receiver_->stat_u64("backlog") >= 800'000; }));
  EXPECT_EQ(receiver_->state(), "uploading");
  storage->release();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

}  // namespace
}  // namespace webrtcupload::test
