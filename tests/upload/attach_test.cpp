// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Start first, peer later: the property wait-for-peer and the action attach.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/receiver.h"
#include "core/wire_v1.h"
#include "support/log.h"
#include "upload/upload_connection.h"
#include "upload/upload_witness.h"
#include "webrtc/channel_alone.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"
#include "webrtc/receive_gate.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

class Attach : public testing::Test {
 protected:
  // PAUSED is reached only with data; that the element has started is seen by attach().
  void start(const std::string& properties = "wait-for-peer=true") {
    receiver_ = std::make_unique<ReceivingPipeline>(nullptr, properties);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
    receiver_->play();
  }
  [[nodiscard]] bool attach(GstElement* webrtcbin) const {
    gboolean attached = FALSE;
    g_signal_emit_by_name(receiver_->upload(), "attach", webrtcbin, &attached);
    return attached;
  }
  // A peer that has opened a channel.
  void announce(ChannelAlone& channel) const {
    ASSERT_TRUE(attach(channel.webrtcbin()));
    g_signal_emit_by_name(channel.webrtcbin(), "on-data-channel", channel.get());
    channel.open();
  }

  // A message of the former peer comes, and the latter peer has the place from the moment at which
  // the worker logs `words` of it. The upload is the latter's.
  void replace_at(const std::string& words, ChannelAlone& former, ChannelAlone& latter) {
    const Log log(6);
    std::atomic<bool> replaced = false;
    const AtALine replace(words, [&] {
      announce(latter);
      replaced = true;
    });
    former.receive({0, 0, 0, 0, 1, 0, 0, 0, 'x'});
    ASSERT_TRUE(eventually([&] { return replaced.load(); }));
    EXPECT_TRUE(log.says({"\"video_upload\" let go before its first chunk"}));
    latter.receive({0, 0, 0, 0, 1, 0, 0, 0, 'y'});
    ASSERT_TRUE(receiver_->wait_eos());
    EXPECT_EQ(receiver_->bytes(), Bytes{'y'});
  }

  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
};

TEST_F(Attach, APeerThatComesAfterTheStartUploads) {
  start();
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(attach(pair.answerer()));
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(100'000);
  ASSERT_TRUE(send_file(channel.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->state(), "done");
}

TEST_F(Attach, APeerThatLeavesBeforeItsUploadMakesRoomForAnother) {
  start("wait-for-peer=true idle-timeout=300000000");
  {
    PeerPair first({.observe_incoming = false});
    ASSERT_TRUE(attach(first.answerer()));
    ASSERT_TRUE(first.connect().channel);
    first.close_connection(Side::kOfferer);
  }
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto channel = second.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(50'000, 2);
  ASSERT_TRUE(send_file(channel.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(Attach, TheLastPeerAttachedIsTheOneThatCounts) {
  start();
  PeerPair first({.observe_incoming = false});
  ASSERT_TRUE(attach(first.answerer()));
  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto wrong = first.connect();
  const auto right = second.connect();
  ASSERT_TRUE(wrong.channel && right.channel);
  ASSERT_TRUE(send_file(wrong.channel.get(), random_bytes(50'000, 3), 16'000));
  const Bytes file = random_bytes(50'000, 4);
  ASSERT_TRUE(send_file(right.channel.get(), file, 16'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

// webrtcbin calls handlers of a channel with the lock held for which the look at its peer waits.
TEST_F(Attach, WhatAPeerHasSentWhoIsReplacedWhileItIsLookedAtCountsForNothing) {
  start();
  PeerPair first({.observe_incoming = false});
  ASSERT_TRUE(attach(first.answerer()));
  using Connection = std::shared_ptr<SignalConnection>;
  const auto blocker = std::make_shared<Blocker>();
  const auto on_message = std::make_shared<SignalConnection>();
  using Closure = std::pair<Connection, std::shared_ptr<Blocker>>;
  // Behind the element's own handlers.
  const SignalConnection on_channel(
      first.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, Closure* closure) {
        *closure->first = SignalConnection(
            channel, "on-message-data",
            G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, std::shared_ptr<Blocker>* blocks) {
              (*blocks)->block();
            }),
            closure->second);
      }),
      Closure(on_message, blocker));
  const auto wrong = first.connect();
  ASSERT_TRUE(wrong.channel);
  // What the element does with a new connection is done, so that it waits for that lock only to
  // look at the peer.
  ASSERT_TRUE(eventually([&] {
    int size = 0;
    return gst_structure_get_int(receiver_->stats().get(), "socket-buffer-size", &size) && size > 0;
  }));
  ASSERT_TRUE(send_chunk(wrong.channel.get(), 0, 4, random_bytes(16'000, 5)));
  ASSERT_TRUE(blocker->wait_blocked());

  PeerPair second({.observe_incoming = false});
  ASSERT_TRUE(attach(second.answerer()));
  const auto taken = std::make_shared<Count>();
  const SignalConnection on_second_channel(
      second.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel*, std::shared_ptr<Count>* count) {
        (*count)->raise();
      }),
      taken);
  const auto right = second.connect();
  ASSERT_TRUE(right.channel);
  ASSERT_TRUE(taken->wait(1));
  const Bytes file = random_bytes(50'000, 6);
  ASSERT_TRUE(send_file(right.channel.get(), file, 16'000));
  blocker->release();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->stat_u64("duplicates"), 0U);
}

TEST_F(Attach, AnUploadUnderWayIsNotTakenFromItsPeer) {
  start();
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(attach(pair.answerer()));
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  const Bytes file = random_bytes(2'000);
  const auto chunks = cut(file, 1'000);
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 2, chunks[0]));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  PeerPair other({.observe_incoming = false});
  EXPECT_FALSE(attach(other.answerer()));
  ASSERT_TRUE(send_chunk(channel.channel.get(), 1, 2, chunks[1]));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

// Handlers of the signal by which a webrtcbin tells of channels.
std::size_t listeners_of(GstElement* webrtcbin) {
  const guint signal = g_signal_lookup("on-data-channel", G_OBJECT_TYPE(webrtcbin));
  constexpr auto kNotCounted =
      static_cast<GSignalMatchType>(G_SIGNAL_MATCH_ID | G_SIGNAL_MATCH_UNBLOCKED);
  std::vector<gulong> found;
  while (const gulong handler =
             g_signal_handler_find(webrtcbin, kNotCounted, signal, 0, nullptr, nullptr, nullptr)) {
    g_signal_handler_block(webrtcbin, handler);
    found.push_back(handler);
  }
  for (const gulong handler : found) g_signal_handler_unblock(webrtcbin, handler);
  return found.size();
}

TEST_F(Attach, AWebrtcbinIsListenedToUntilItIsReplaced) {
  const ChannelAlone former;
  const ChannelAlone latter;
  const ChannelAlone other;
  keep_channels(other.webrtcbin());
  const std::size_t that_keep_channels = listeners_of(other.webrtcbin());
  start();
  ASSERT_TRUE(attach(former.webrtcbin()));
  EXPECT_EQ(listeners_of(former.webrtcbin()), that_keep_channels + 1);
  ASSERT_TRUE(attach(latter.webrtcbin()));
  EXPECT_EQ(listeners_of(former.webrtcbin()), that_keep_channels);
  EXPECT_EQ(listeners_of(latter.webrtcbin()), that_keep_channels + 1);
}

TEST_F(Attach, WhatCannotBeAttachedIsNot) {
  PeerPair pair({.observe_incoming = false});
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true");
  EXPECT_FALSE(attach(pair.answerer())) << "below PAUSED";
  receiver_->play();
  const GstPtr<GstElement> other = parse_pipeline("identity name=pc");
  EXPECT_FALSE(attach(other.get())) << "no webrtcbin";
  EXPECT_FALSE(attach(nullptr));
  EXPECT_TRUE(attach(pair.answerer()));
  receiver_ = std::make_unique<ReceivingPipeline>(pair.answerer());
  receiver_->play();
  EXPECT_FALSE(attach(pair.answerer())) << "without wait-for-peer";
}

TEST_F(Attach, WithoutItTheElementDoesNotStartWithNothingToReceiveFrom) {
  ReceivingPipeline pipeline(nullptr);
  gst_element_set_state(pipeline.pipeline(), GST_STATE_PLAYING);
  EXPECT_NE(pipeline.wait_error().message.find("wait-for-peer"), std::string::npos);
}

SharedUpload make_upload() {
  return {.name = "upload",
          .inbox = std::make_shared<Inbox>(Inbox::Marks{}),
          .receiver = std::make_unique<Receiver>(Limits{}, std::make_unique<V1Parser>(),
                                                 TimeBegins::kWithAChunk)};
}

// A handler of on-data-channel may be running, and may have got no further, when another peer gets
// the place.
TEST(AttachedConnection, TakesNoChannelOfAPeerThatHasBeenReplaced) {
  SharedUpload upload = make_upload();
  const ChannelAlone former("video_upload");
  const ChannelAlone latter("video_upload");
  UploadConnection connection(upload, {.channel_label = "video_upload"},
                              ref_gst(former.webrtcbin()));
  ASSERT_EQ(connection.attach(latter.webrtcbin()), UploadConnection::Attached::kInPlace);
  connection.offer(former.get(), former.webrtcbin());
  EXPECT_FALSE(connection.channel());
  connection.offer(latter.get(), latter.webrtcbin());
  const auto taken = connection.channel();
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->is(latter.get()));
  // Nor once the peer has left.
  connection.detach(latter.webrtcbin());
  connection.offer(former.get(), former.webrtcbin());
  EXPECT_FALSE(connection.channel());
}

// What is found out about the channel of a peer may be said when another one has the place.
TEST(AttachedConnection, KeepsItsChannelWhenThatOfAFormerPeerHasGone) {
  SharedUpload upload = make_upload();
  const ChannelAlone former("video_upload");
  const ChannelAlone latter("video_upload");
  UploadConnection connection(upload, {.channel_label = "video_upload"},
                              ref_gst(former.webrtcbin()));
  connection.offer(former.get(), former.webrtcbin());
  const auto let_go = connection.channel();
  ASSERT_TRUE(let_go);
  ASSERT_EQ(connection.attach(latter.webrtcbin()), UploadConnection::Attached::kInPlace);
  connection.offer(latter.get(), latter.webrtcbin());
  const auto taken = connection.channel();
  ASSERT_TRUE(taken);
  EXPECT_FALSE(connection.forget_idle_channel(let_go->serial()));
  EXPECT_EQ(connection.channel(), taken);
  EXPECT_FALSE(connection.is_current(let_go->serial()));
  EXPECT_TRUE(connection.is_current(taken->serial()));
  connection.detach(former.webrtcbin());
  EXPECT_EQ(connection.channel(), taken);
  EXPECT_TRUE(connection.forget_idle_channel(taken->serial()));
  EXPECT_FALSE(connection.channel());
}

// What it is told does not get out of SCTP.
TEST(AttachedConnection, AChannelWhosePeerDoesNotReadIsClosed) {
  SharedUpload upload = make_upload();
  PeerPair pair({.observe_incoming = false});
  UploadConnection connection(upload, {.channel_label = "video_upload"}, ref_gst(pair.answerer()));
  const SignalConnection on_channel(
      pair.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement* webrtcbin, GstWebRTCDataChannel* channel,
                     UploadConnection** offered) { (*offered)->offer(channel, webrtcbin); }),
      &connection);
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(eventually([&] {
    const auto taken = connection.channel();
    return taken && taken->is_open();
  }));
  const auto taken = connection.channel();
  const auto gate = ReceiveGate::find(pair.offerer());
  ASSERT_TRUE(gate);
  gate->close();
  control::Ready word{.upload = *UploadId::parse("00112233445566778899aabbccddeeff")};
  for (std::uint64_t at = 1'000'000'000; word.have.size() < 500; at += 2) {
    word.have.push_back({at, at + 1});
  }
  bool is_gone = false;
  for (int i = 0; i < 1000 && !is_gone; ++i) {
    connection.say(taken->serial(), word);
    while (auto item = upload.inbox->pop(TimePoint{})) {
      is_gone = is_gone || std::holds_alternative<Inbox::Gone>(*item);
    }
  }
  EXPECT_TRUE(is_gone);
  EXPECT_FALSE(taken->is_open());
}

// Its peer has left, and the place is free; but what has come of the upload stays what it is.
TEST(AttachedConnection, TakesNoPeerOnceThereWasAnUpload) {
  SharedUpload upload = make_upload();
  const ChannelAlone former("video_upload");
  const ChannelAlone latter("video_upload");
  UploadConnection connection(upload, {.channel_label = "video_upload"},
                              ref_gst(former.webrtcbin()));
  connection.offer(former.get(), former.webrtcbin());
  ASSERT_TRUE(connection.channel());
  {
    const MutexLock lock(upload.mutex);
    static_cast<void>(
        upload.receiver->fail({ErrorCode::kCancelled, "the application cancelled the upload"}));
  }
  const auto serial = connection.channel()->serial();
  connection.detach(former.webrtcbin());
  // Which its upload is told, behind all that has come.
  std::optional<Inbox::Item> told;
  ASSERT_TRUE(eventually([&] {
    told = upload.inbox->pop(now());
    return told.has_value();
  }));
  ASSERT_TRUE(std::holds_alternative<Inbox::Gone>(*told));
  EXPECT_EQ(std::get<Inbox::Gone>(*told).channel, serial);
  EXPECT_FALSE(connection.channel());
  EXPECT_EQ(connection.attach(latter.webrtcbin()), UploadConnection::Attached::kNot);
  connection.offer(latter.get(), latter.webrtcbin());
  EXPECT_FALSE(connection.channel());
}

// The worker has the message in its hands already.
TEST_F(Attach, AMessageOfAPeerThatIsBeingReplacedDoesNotBeginAnothersUpload) {
  ChannelAlone former("video_upload");
  ChannelAlone latter("video_upload");
  start();
  announce(former);
  replace_at("binary message of 9 bytes", former, latter);
  EXPECT_EQ(witness_->completions(), 1);
}

// The same, while the worker looks who that peer is.
TEST_F(Attach, APeerThatCannotBeTrustedAndIsBeingReplacedDoesNotFailAnothersUpload) {
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr, "wait-for-peer=true");
  ChannelAlone former("video_upload");
  ChannelAlone latter("video_upload");
  former.give_to(receiver_->upload());
  former.drop_webrtcbin();
  receiver_->play();
  replace_at(to_string(PeerTrust::kWebrtcbinHasGone), former, latter);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
