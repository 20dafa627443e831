// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A ResultSender whose peer is replaced by another one while the worker looks at it: what the look
// finds is not said of the other peer.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "results/result_sender.h"
#include "support/log.h"
#include "upload/upload_witness.h"
#include "webrtc/channel_alone.h"
#include "webrtc/channel_owner.h"
#include "webrtc/dtls_check.h"

namespace webrtcupload::test {
namespace {

class ReplacedPeer : public testing::Test {
 protected:
  // Before the channels are made.
  static void SetUpTestSuite() { watch_channel_owners(); }
  void SetUp() override {
    ResultEvents events;
    events.control = [this](const std::string& text) {
      last_ = text;
      controls_.raise();
      if (text == kBlocks) handler_.block();
    };
    events.gone = [this](const Error&) { gone_.raise(); };
    sender_ = ResultSender::create({}, std::move(events));
    latter_.open();
  }

  // On the worker, which has looked at the former peer and not said yet what it found.
  void replace() {
    adopt(latter_);
    replaced_.raise();
  }
  void adopt(ChannelAlone& channel) {
    sender_->attach(channel.webrtcbin());
    EXPECT_TRUE(sender_->adopt(channel.get()));
  }
  // By then it has been found out who the peer is, and the end of a peer has been told.
  [[nodiscard]] bool is_heard(ChannelAlone& channel) {
    const int before = controls_.value();
    channel.receive(R"({"say": "something"})");
    return controls_.wait(before + 1);
  }

  static constexpr char kBlocks[] = R"({"say": "wait"})";

  // Of the worker, when it has raised the count.
  std::string last_;
  Blocker handler_;
  Count controls_;
  Count gone_;
  Count replaced_;
  ChannelAlone former_{"former"};
  ChannelAlone latter_{"latter"};
  std::shared_ptr<ResultSender> sender_;
};

// It has not opened its channel, and so says nothing when it goes.
TEST_F(ReplacedPeer, WhoseWebrtcbinHasGoneDoesNotTakeTheNextOneAlong) {
  const Log log;
  const AtALine at("the webrtcbin of channel \"former\" has gone", [this] { replace(); });
  ASSERT_TRUE(sender_->adopt(former_.get()));
  former_.drop_webrtcbin();
  ASSERT_TRUE(replaced_.wait(1));
  EXPECT_TRUE(is_heard(latter_));
  EXPECT_EQ(gone_.value(), 0);
}

TEST_F(ReplacedPeer, ThatCannotBeTrustedDoesNotTakeTheNextOneAlong) {
  const Log log;
  const AtALine at(to_string(PeerTrust::kWebrtcbinHasGone), [this] { replace(); });
  former_.open();
  former_.drop_webrtcbin();
  ASSERT_TRUE(sender_->adopt(former_.get()));
  ASSERT_TRUE(replaced_.wait(1));
  EXPECT_TRUE(is_heard(latter_));
  EXPECT_EQ(gone_.value(), 0);
}

// And what has not been said of the former by then never is.
TEST_F(ReplacedPeer, LeavesNothingBehind) {
  former_.open();
  adopt(former_);
  former_.receive(kBlocks);
  ASSERT_TRUE(handler_.wait_blocked());
  former_.receive(R"({"say": "too late"})");
  former_.close();
  adopt(latter_);
  latter_.receive(R"({"say": "something"})");
  handler_.release();
  ASSERT_TRUE(controls_.wait(2));
  EXPECT_EQ(last_, R"({"say": "something"})");
  EXPECT_EQ(gone_.value(), 0);
  // Nor is the former's channel kept from others.
  const auto other = ResultSender::create({}, {});
  EXPECT_TRUE(other->adopt(former_.get()));
}

TEST_F(ReplacedPeer, ThatHasLeftDoesNotHideThatTheNextOneLeaves) {
  former_.open();
  adopt(former_);
  ASSERT_TRUE(is_heard(former_));
  former_.close();
  ASSERT_TRUE(gone_.wait(1));
  adopt(latter_);
  latter_.close();
  EXPECT_TRUE(gone_.wait(2));
}

TEST_F(ReplacedPeer, ThatWasTrustedDoesNotVouchForTheNextOne) {
  const Log log;
  former_.open();
  adopt(former_);
  ASSERT_TRUE(is_heard(former_));
  const ChannelAlone between("between");
  sender_->attach(between.webrtcbin());
  latter_.drop_webrtcbin();
  latter_.open();
  ASSERT_TRUE(sender_->adopt(latter_.get()));
  EXPECT_TRUE(log.says({to_string(PeerTrust::kWebrtcbinHasGone)}));
  EXPECT_TRUE(gone_.wait(1));
}

TEST_F(ReplacedPeer, IsNotReplacedByTheLeavingOfAnother) {
  former_.open();
  adopt(former_);
  adopt(latter_);
  sender_->detach(former_.webrtcbin());
  EXPECT_TRUE(is_heard(latter_));
  EXPECT_EQ(gone_.value(), 0);
}

// Its results are numbered from the first one on, also if that is dropped.
TEST_F(ReplacedPeer, IsNotReplacedOnceItHasAResult) {
  former_.open();
  adopt(former_);
  ASSERT_TRUE(is_heard(former_));
  sender_->set_flushing(true);
  EXPECT_FALSE(sender_->send_value({}, "words", ResultSender::ValueKind::kText, "hello"));
  sender_->attach(latter_.webrtcbin());
  EXPECT_FALSE(sender_->adopt(latter_.get()));
  EXPECT_TRUE(is_heard(former_));
}

}  // namespace
}  // namespace webrtcupload::test
