// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads in wire format v2 that come to a good end, and what is told of them.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/wire_v2.h"
#include "support/log.h"
#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

TEST_F(V2Upload, TheFileArrivesWithItsHash) {
  connect();
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  EXPECT_EQ(client.done_sha256(), sha256_of(file_));
  expect_file();
  EXPECT_EQ(stat_text("protocol"), "v2");
  EXPECT_EQ(stat_text("name"), "film.mp4");
  EXPECT_EQ(stat_text("content-type"), "video/mp4");
  EXPECT_EQ(receiver_->stat_u64("bytes"), file_.size());
  EXPECT_EQ(witness_->states(),
            (std::vector<std::string>{"uploading", "complete", "processing", "done"}));
  EXPECT_EQ(witness_->completions(), 1);
  const auto stats = stats_messages(receiver_->bus());
  ASSERT_EQ(stats.size(), 1U);
  EXPECT_STREQ(gst_structure_get_string(stats[0].get(), "sha256"), sha256_of(file_).c_str());
  EXPECT_EQ(progress_messages(receiver_->bus()).back().text, "Upload complete: 300000 bytes");
}

TEST_F(V2Upload, WithoutANamedHashTheReceiversOwnIsTold) {
  connect();
  V2Client client(file_, {.names_hash = false});
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  EXPECT_EQ(client.done_sha256(), sha256_of(file_));
  expect_file();
}

TEST_F(V2Upload, OfASizeThatIsToldAtTheEnd) {
  connect();
  V2Client client(file_, {.knows_size = false, .first = 200'000});
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(200'000));
  EXPECT_EQ(receiver_->state(), "uploading");
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

TEST_F(V2Upload, OfAnEmptyFile) {
  file_.clear();
  connect();
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  EXPECT_EQ(client.done_sha256(), sha256_of({}));
  expect_file();
}

TEST_F(V2Upload, ProgressivelyBytesLeaveWhileOthersAreToCome) {
  connect("progressive=true");
  V2Client client(file_, {.knows_size = false, .first = 200'000});
  client.add(channel_);
  ASSERT_TRUE(client.run([&] { return receiver_->bytes().size() >= 150'000; }));
  client.send_all();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

TEST_F(V2Upload, AuthorizeIsToldWhatTheClientSays) {
  start();
  std::string asked;
  const auto handler = on_authorize(upload(), [&](const GstStructure* request) {
    const GCharPtr text(gst_structure_to_string(request));
    asked = text.get();
    return true;
  });
  channel_ = connect_v2(pair_);
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  expect_file();
  EXPECT_NE(asked.find("channel-protocol=(string)webrtcupload.v2"), std::string::npos) << asked;
  EXPECT_NE(asked.find("name=(string)film.mp4"), std::string::npos) << asked;
  EXPECT_NE(asked.find("content-type=(string)video/mp4"), std::string::npos) << asked;
  EXPECT_NE(asked.find("size=(guint64)300000"), std::string::npos) << asked;
  EXPECT_NE(asked.find("sha256=(string)" + sha256_of(file_)), std::string::npos) << asked;
}

TEST_F(V2Upload, AsLongAsAuthorizeThinksNothingIsSent) {
  start();
  Blocker blocker;
  const auto handler = on_authorize(upload(), [&](const GstStructure*) {
    blocker.block();
    return true;
  });
  channel_ = connect_v2(pair_);
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run([&] { return blocker.wait_blocked(std::chrono::milliseconds(0)); }));
  EXPECT_EQ(client.sender().sent_bytes(), 0U);
  blocker.release();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

// Before the element starts an application has the channel, and what came over it.
TEST_F(V2Upload, OverTheDataChannelOfTheApplication) {
  connect_over_the_applications_channel();
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run([&] { return channel_.observer->buffered_amount() == 0; }));
  receiver_->play();
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

// -------------------------------------------------------------------------------------------------
// which versions are spoken

TEST_F(V2Upload, OneThatIsNotSpokenIsLeftAlone) {
  const Log log(2);
  connect("protocols=v1");
  EXPECT_TRUE(log.says({"left alone: it is for v2, which the property protocols lacks"}));
  ASSERT_TRUE(say(channel(), hello_of(file_)));
  const auto other = open_channel(pair_);
  ASSERT_TRUE(send_file(other.channel.get(), file_));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file_);
  EXPECT_EQ(stat_text("protocol"), "v1");
  EXPECT_EQ(channel_.observer->message_count(), 0U);
}

TEST_F(V2Upload, NorIsV1SpokenWithoutIt) {
  const Log log(2);
  start("protocols=v2");
  const auto channel = pair_.connect();
  ASSERT_TRUE(channel.channel);
  EXPECT_TRUE(log.says({"left alone: it is for v1, which the property protocols lacks"}));
  channel_ = open_v2(pair_);
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_to_end());
  expect_file();
}

TEST_F(V2Upload, AnotherChannelOfTheApplicationsIsAnError) {
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "protocols=v1");
  ASSERT_TRUE(pair_.start());
  const auto made = create_v2(pair_, "any");
  g_object_set(upload(), "data-channel", made.get(), nullptr);
  gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING);
  EXPECT_NE(receiver_->wait_error().message.find("\"protocols\" lacks"), std::string::npos);
}

// -------------------------------------------------------------------------------------------------
// a slow disk

TEST(V2SlowDisk, HoldsUpNoOtherChannel) {
  const auto storage = stop_storage();
  const Bytes file = random_bytes(6 * kMiB);
  PeerPair pair;
  ReceivingPipeline receiver(pair.answerer(),
                             "window=1048576 backlog-high=65536 backlog-low=0 idle-timeout=0");
  receiver.play();
  const auto channel = connect_v2(pair);
  V2Client client(file);
  client.add(channel);
  // All that it may send, which is far above the marks of the backlog.
  ASSERT_TRUE(client.run([&] { return client.sender().sent_bytes() >= kMiB - 16'000; }));
  ASSERT_TRUE(storage->wait_blocked());
  ASSERT_TRUE(client.run([&] { return receiver.stat_u64("backlog") >= kMiB - 100'000; }));

  const auto other = open_channel(pair, "inference");
  const auto arrived = pair.incoming(Side::kAnswerer, "inference");
  ASSERT_TRUE(arrived);
  ASSERT_TRUE(send_text(other.channel.get(), "how far"));
  EXPECT_TRUE(arrived->wait_messages(1));
  EXPECT_FALSE(is_held_back(pair.answerer()));
  const auto ready = wait_for<control::Ready>(*channel.observer);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->credit, kMiB);
  storage->release();
  ASSERT_TRUE(client.run_to_end());
  EXPECT_EQ(client.done_sha256(), sha256_of(file));
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  intercept_storage(nullptr);
}

}  // namespace
}  // namespace webrtcupload::test
