// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload that fails, over a real pair of webrtcbins: the application is told once and in every
// way it can be told, the sender sees its channel close, nothing is left behind, and the next
// upload on the same connection works.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/spool.h"
#include "support/odd_directory.h"
#include "upload/upload_witness.h"
#include "webrtcupload/gstwebrtcuploaderror.h"

namespace webrtcupload::test {

// What is expected to be told. `numbers` are what the text has to hold.
struct Expected {
  GstWebrtcUploadError code;
  std::string nick;
  std::vector<std::string> numbers;
};

class UploadFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The first upload opens what the process then keeps (GLib's and libnice's workers).
    PeerPair pair({.observe_incoming = false});
    ReceivingPipeline receiver(pair.answerer());
    receiver.play();
    const auto channel = pair.connect();
    ASSERT_TRUE(send_file(channel.channel.get(), random_bytes(100)));
    ASSERT_TRUE(receiver.wait_eos());
  }

  void SetUp() override {
    descriptors_ = std::make_unique<FdGuard>();
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
  }

  // Whatever happened: nothing is left of it.
  void TearDown() override {
    channel_ = {};
    witness_.reset();
    if (receiver_) {
      stop_promptly(receiver_->pipeline());
      expect_no_spool_file();
    }
    receiver_.reset();
    pair_.reset();
    descriptors_->expect_none_new();
  }

  void make_receiver(const std::string& properties,
                     const std::string& tail = ReceivingPipeline::kCollectBytes) {
    make_receiver(properties, tail, pair_->answerer());
  }
  void make_receiver(const std::string& properties, const std::string& tail,
                     GstElement* webrtcbin) {
    receiver_ = std::make_unique<ReceivingPipeline>(
        webrtcbin, "spool-directory=" + spool_.path() + " " + properties, tail);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
  }
  void connect() {
    channel_ = pair_->connect();
    ASSERT_TRUE(channel_.channel);
  }
  void start(const std::string& properties = "") {
    make_receiver(properties);
    receiver_->play();
    connect();
  }

  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }

  // The element starts when what `send` sends is all waiting for it, `messages` in number. So how
  // long the peers took to connect, and the messages to arrive, is no part of the upload's times.
  void start_with_waiting(const std::string& properties, int messages,
                          const std::function<void(GstWebRTCDataChannel*)>& send) {
    make_receiver(properties, ReceivingPipeline::kCollectBytes, nullptr);
    const auto arrived = std::make_shared<Count>();
    using Closure = std::function<void(GstWebRTCDataChannel*)>;
    SignalConnection counting;
    const SignalConnection connection(
        pair_->answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, Closure* function) {
          (*function)(object);
        }),
        Closure([&](GstWebRTCDataChannel* object) {
          g_object_set(receiver_->upload(), "data-channel", object, nullptr);
          // After the element's own handler.
          counting = SignalConnection(
              object, "on-message-data",
              G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, std::shared_ptr<Count>* count) {
                (*count)->raise();
              }),
              arrived);
        }));
    connect();
    send(channel());
    ASSERT_TRUE(arrived->wait(messages));
    receiver_->play();
  }

  // While the element is not running there is neither a name nor a descriptor in its directory, as
  // soon as its worker has ended: one that is told of the end within a handler is not waited for.
  void expect_no_spool_file() {
    EXPECT_EQ(spool_.entries(), 0U);
    std::string found;
    EXPECT_TRUE(eventually([&] {
      found.clear();
      for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
        if (target.find(spool_.path()) != std::string::npos) found = target;
      }
      return found.empty();
    })) << found;
  }

  // The upload fails, and says so everywhere.
  void expect_failure(const Expected& expected) {
    const ErrorText error = receiver_->wait_error();
    EXPECT_EQ(error.code, expected.nick) << error.message;
    EXPECT_NE(error.message.find(expected.nick), std::string::npos) << error.message;
    ASSERT_TRUE(witness_->wait_failed());
    const auto failure = witness_->failures().front();
    EXPECT_EQ(failure.domain, GST_WEBRTC_UPLOAD_ERROR);
    EXPECT_EQ(failure.code, expected.code);
    for (const std::string& number : expected.numbers) {
      EXPECT_NE(error.message.find(number), std::string::npos)
          << "no \"" << number << "\" in \"" << error.message << "\"";
      EXPECT_NE(failure.message.find(number), std::string::npos)
          << "no \"" << number << "\" in \"" << failure.message << "\"";
    }
    EXPECT_EQ(receiver_->state(), "error");

    const auto stats = stats_messages(receiver_->bus());
    ASSERT_FALSE(stats.empty());
    const GstStructure* last = stats.back().get();
    EXPECT_STREQ(gst_structure_get_string(last, "state"), "error");
    EXPECT_STREQ(gst_structure_get_string(last, "error-code"), expected.nick.c_str());
    EXPECT_STREQ(gst_structure_get_string(last, "error-message"), failure.message.c_str());

    const auto progress = progress_messages(receiver_->bus());
    ASSERT_FALSE(progress.empty());
    EXPECT_EQ(progress.front().type, GST_PROGRESS_TYPE_START);
    EXPECT_EQ(progress.back().code, "upload");
    // That of an upload which is complete has ended before.
    if (witness_->completions() > 0) {
      EXPECT_EQ(progress.back().type, GST_PROGRESS_TYPE_COMPLETE);
    } else {
      EXPECT_EQ(progress.back().type, GST_PROGRESS_TYPE_ERROR);
      EXPECT_NE(progress.back().text.find(expected.nick), std::string::npos)
          << progress.back().text;
    }
  }

  // To be called last: nothing was told twice.
  void expect_told_once() {
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_WARNING), spool_in_memory_ ? 1U : 0U);
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_EOS), 0U);
    // Also one at completion, where it came to that.
    EXPECT_EQ(stats_messages(receiver_->bus()).size(), witness_->completions() + 1U);
    EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_START), 1U);
    EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_ERROR) +
                  count_progress(receiver_->bus(), GST_PROGRESS_TYPE_COMPLETE),
              1U);
    EXPECT_EQ(witness_->failures().size(), 1U);
    const auto states = witness_->states();
    EXPECT_EQ(std::count(states.begin(), states.end(), "error"), 1);
  }

  // GstBaseSrc adds one of its own to ours when its start() fails.
  void expect_only_start_errors() {
    const auto errors = receiver_->bus().all(GST_MESSAGE_ERROR);
    ASSERT_LE(errors.size(), 2U);
    if (errors.size() == 2) {
      EXPECT_EQ(error_text(errors[1].get()).code, "");
    }
    EXPECT_TRUE(witness_->failures().empty());
    EXPECT_EQ(receiver_->state(), "idle");
  }

  void expect_whole_story(const Expected& expected) {
    expect_failure(expected);
    EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender did not notice";
    expect_upload_works(*pair_);
    expect_told_once();
  }

  TemporaryDirectory spool_;
  // Of which the element warns.
  bool spool_in_memory_ = Spool::is_in_memory(spool_.path());
  std::unique_ptr<FdGuard> descriptors_;
  std::unique_ptr<PeerPair> pair_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  PeerPair::Channel channel_;
};

}  // namespace webrtcupload::test
