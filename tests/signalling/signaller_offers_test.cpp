// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a signaller emits, and what of it waits for a server that is busy.

#include "signalling/signaller_offers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/gst_test.h"

G_DECLARE_FINAL_TYPE(EmittingSignaller, emitting_signaller, EMITTING, SIGNALLER, GObject)
struct _EmittingSignaller {
  GObject parent;
};
static void emitting_signaller_init_interface(GstWebrtcUploadSignallerInterface* iface) {
  iface->answer = [](GstWebrtcUploadSignaller*, const char*, const char*) {};
}
G_DEFINE_FINAL_TYPE_WITH_CODE(EmittingSignaller, emitting_signaller, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_WEBRTC_UPLOAD_SIGNALLER,
                                                    emitting_signaller_init_interface))
static void emitting_signaller_class_init(EmittingSignallerClass*) {}
static void emitting_signaller_init(EmittingSignaller*) {}

namespace webrtcupload {
namespace {

using test::eventually;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kMany = 1000;

struct Taker : OfferTaker {
  void take_offer(std::string id, const std::string&, std::shared_ptr<OfferReply> reply) override {
    offered.push_back(std::move(id));
    replies.push_back(std::move(reply));
  }
  void take_further_offer(const std::string&, std::string, const std::string&,
                          std::shared_ptr<OfferReply>) override {
    ADD_FAILURE() << "a signaller knows no further offers";
  }
  bool withdraw_further(const std::string&, const std::string&) override { return false; }
  bool withdraw(const std::string& id) override {
    withdrawn.push_back(id);
    return true;
  }
  [[nodiscard]] std::optional<SessionStatus> status(const std::string&) const override {
    return std::nullopt;
  }

  std::vector<std::string> offered;
  std::vector<std::shared_ptr<OfferReply>> replies;
  std::vector<std::string> withdrawn;
};

class SignallerOffersTest : public ::testing::Test {
 protected:
  ~SignallerOffersTest() override {
    offers_.stop();
    taker_->replies.clear();
    announcer_->finish();
    g_main_context_unref(context_);
  }

  [[nodiscard]] GstWebrtcUploadSignaller* signaller() const {
    return GST_WEBRTC_UPLOAD_SIGNALLER(signaller_.get());
  }
  [[nodiscard]] bool offer(const std::string& id) const {
    return gst_webrtc_upload_signaller_offer(signaller(), id.c_str(), "v=0");
  }
  void withdraw(const std::string& id) const {
    gst_webrtc_upload_signaller_withdraw(signaller(), id.c_str());
  }
  void fail(const std::string& message) const {
    gst_webrtc_upload_signaller_fail(signaller(), message.c_str());
  }
  // The server has time for all that waits.
  void serve() const {
    while (g_main_context_iteration(context_, FALSE)) {
    }
  }

  GMainContext* context_ = g_main_context_new();
  const GObjectPtr<EmittingSignaller> signaller_{
      static_cast<EmittingSignaller*>(g_object_new(emitting_signaller_get_type(), nullptr))};
  const std::shared_ptr<Taker> taker_ = std::make_shared<Taker>();
  const std::shared_ptr<Announcer> announcer_ = Announcer::start();
  std::vector<std::string> failures_;
  SignallerOffers offers_{signaller(), context_, taker_, announcer_,
                          [this](const std::string& why) { failures_.push_back(why); }};
};

TEST_F(SignallerOffersTest, WithdrawsNothingThatIsNotOpen) {
  for (int i = 0; i < kMany; ++i) withdraw("number " + std::to_string(i));
  withdraw("");
  withdraw(std::string(1'000'000, 'x'));
  gst_webrtc_upload_signaller_withdraw(signaller(), nullptr);
  EXPECT_FALSE(g_main_context_pending(context_));
  serve();
  EXPECT_THAT(taker_->withdrawn, IsEmpty());
}

TEST_F(SignallerOffersTest, WithdrawsOnceHoweverOftenItIsToldTo) {
  ASSERT_TRUE(offer("one"));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        for (int j = 0; j < kMany; ++j) withdraw("one");
      });
    }
  }
  serve();
  EXPECT_THAT(taker_->offered, SizeIs(1));
  EXPECT_THAT(taker_->withdrawn, SizeIs(1));
  // The same name may have been offered anew, and that is to be withdrawn too.
  ASSERT_TRUE(offer("one"));
  withdraw("one");
  serve();
  EXPECT_THAT(taker_->offered, SizeIs(2));
  EXPECT_THAT(taker_->withdrawn, SizeIs(2));
  // Until the last word has been said.
  taker_->replies.clear();
  EXPECT_TRUE(eventually([&] {
    const std::size_t before = taker_->withdrawn.size();
    withdraw("one");
    serve();
    return taker_->withdrawn.size() == before;
  }));
}

TEST_F(SignallerOffersTest, FailsOnce) {
  for (int i = 0; i < kMany; ++i) fail("the line is dead");
  serve();
  EXPECT_THAT(failures_, ::testing::ElementsAre("the line is dead"));
}

TEST_F(SignallerOffersTest, SaysOneKibibyteAtMostOfAFailure) {
  // Two bytes each, from an odd byte on.
  std::string text = "x";
  for (int i = 0; i < 2000; ++i) text += "\u00e9";
  fail(text);
  serve();
  ASSERT_THAT(failures_, SizeIs(1));
  EXPECT_EQ(failures_[0], text.substr(0, 1023));
}

// Which takes three bytes each to say in UTF-8.
TEST_F(SignallerOffersTest, SaysOneKibibyteAtMostOfWhatIsNoText) {
  fail(std::string(5000, '\xff'));
  serve();
  ASSERT_THAT(failures_, SizeIs(1));
  EXPECT_EQ(failures_[0].size(), 1023U);
  EXPECT_TRUE(g_utf8_validate(failures_[0].c_str(), -1, nullptr));
}

TEST_F(SignallerOffersTest, MayFailWithoutAWord) {
  gst_webrtc_upload_signaller_fail(signaller(), nullptr);
  serve();
  EXPECT_THAT(failures_, ::testing::ElementsAre(""));
}

TEST_F(SignallerOffersTest, TellsNothingOnceItIsStopped) {
  ASSERT_TRUE(offer("one"));
  serve();
  offers_.stop();
  withdraw("one");
  fail("too late");
  EXPECT_FALSE(offer("two"));
  serve();
  EXPECT_THAT(taker_->withdrawn, IsEmpty());
  EXPECT_THAT(failures_, IsEmpty());
}

}  // namespace
}  // namespace webrtcupload
