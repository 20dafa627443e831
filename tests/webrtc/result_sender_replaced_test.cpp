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
#include "webrtc/channel_alone.h"
#include "webrtc/channel_owner.h"
#include "webrtc/dtls_check.h"
#include "webrtc/upload_witness.h"

namespace webrtcupload::test {
namespace {

class ReplacedPeer : public testing::Test {
 protected:
  // Before the channels are made.
  static void SetUpTestSuite() { watch_channel_owners(); }
  void SetUp() override {
    ResultEvents events;
    events.control = [this](const std::string&) { controls_.raise(); };
    events.gone = [this](const Error&) { gone_.raise(); };
    sender_ = ResultSender::create({}, std::move(events));
    latter_.open();
  }

  // On the worker, which has looked at the former peer and not said yet what it found.
  void replace() {
    sender_->attach(latter_.webrtcbin());
    EXPECT_TRUE(sender_->adopt(latter_.get()));
    replaced_.raise();
  }
  // By then it has been found out who the peer is, and the end of a peer has been told.
  [[nodiscard]] bool is_heard(ChannelAlone& channel) {
    const int before = controls_.value();
    channel.receive(R"({"say": "something"})");
    return controls_.wait(before + 1);
  }

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

}  // namespace
}  // namespace webrtcupload::test
