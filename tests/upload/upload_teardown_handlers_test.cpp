// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The element is stopped while its file is read, and with the application's handlers in the way.

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>
#include <unistd.h>

#include "upload/film_bytes.h"
#include "upload/upload_teardown.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// while it is read

// Some film that decodebin can decode.
Bytes make_film() {
  return film_bytes(
      "videotestsrc num-buffers=200 pattern=snow ! video/x-raw,width=320,height=240 ! jpegenc ! "
      "avimux");
}

struct Reading {
  const char* name;
  const char* properties;
  // Between webrtcupload and decodebin.
  const char* between;
};

class TeardownWhileRead : public Teardown, public testing::WithParamInterface<Reading> {
 protected:
  static const Bytes& film() {
    static const Bytes bytes = make_film();
    return bytes;
  }
  void start(const std::string& sink_properties) {
    // To make it may take longer than a connection that is idle lasts.
    film();
    make_receiver(GetParam().properties, std::string(GetParam().between) +
                                             "decodebin ! fakesink name=sink sync=false "
                                             "signal-handoffs=true " +
                                             sink_properties);
    frames_ = std::make_shared<Count>();
    using Closure = std::shared_ptr<Count>;
    const GstPtr<GstElement> sink = element_named(
        GstPtr<GstElement>(GST_ELEMENT(gst_object_ref(receiver_->pipeline()))), "sink");
    connections_.emplace_back(
        sink.get(), "handoff",
        G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, Closure* frames) { (*frames)->raise(); }),
        frames_);
    receiver_->play();
    connect();
  }

  std::shared_ptr<Count> frames_;
};

TEST_P(TeardownWhileRead, BeforeTheFirstByte) {
  start("");
  stop_silently();
}

TEST_P(TeardownWhileRead, BeforeTheLastByte) {
  start("");
  const auto chunks = cut(film(), 49152);
  for (std::uint32_t i = 0; i + 1 < chunks.size(); ++i) {
    ASSERT_TRUE(send_chunk(channel(), i, static_cast<std::uint32_t>(chunks.size()), chunks[i]));
  }
  ASSERT_TRUE(eventually(
      [&] { return receiver_->stat_uint("chunks-received") + 1 == chunks.size(); }, kDeadline));
  stop_silently();
}

TEST_P(TeardownWhileRead, AfterTheFirstFrame) {
  // In real time, so that it does not end by itself.
  start("sync=true");
  ASSERT_TRUE(send_file(channel(), film()));
  ASSERT_TRUE(frames_->wait(1));
  stop_silently();
}

INSTANTIATE_TEST_SUITE_P(, TeardownWhileRead,
                         testing::Values(Reading{"Pull", "", ""}, Reading{"Push", "", "queue ! "},
                                         Reading{"Progressive", "progressive=true", ""}),
                         [](const auto& reading) { return std::string(reading.param.name); });

// -------------------------------------------------------------------------------------------------
// with the application's handlers in the way

// The name of a signal, what makes it be emitted, and a connection of `handler` to it.
struct Handler {
  const char* name;
  std::function<SignalConnection(GstElement*, std::function<void()>)> connect;
  std::function<void(GstWebRTCDataChannel*)> cause;
};

void cause_completion(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_file(channel, random_bytes(100'000)));
}
void cause_uploading(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 0, 2, Bytes(10)));
}

std::vector<Handler> handlers() {
  using Function = std::function<void()>;
  return {
      {"Authorize",
       [](GstElement* upload, Function handler) {
         return on_authorize(upload, [handler](auto*) {
           handler();
           return true;
         });
       },
       cause_completion},
      {"CheckQuota",
       [](GstElement* upload, Function handler) {
         return on_check_quota(upload, [handler] {
           handler();
           return true;
         });
       },
       cause_uploading},
      {"CheckQuotaThatSaysNo",
       [](GstElement* upload, Function handler) {
         return on_check_quota(upload, [handler] {
           handler();
           return false;
         });
       },
       cause_uploading},
      {"UploadComplete", on_complete, cause_completion},
      {"UploadFailed", on_failed, cause_failure},
      {"NotifyState",
       [](GstElement* upload, Function handler) {
         return SignalConnection(
             upload, "notify::state",
             G_CALLBACK(+[](GObject*, GParamSpec*, Function* function) { (*function)(); }),
             std::move(handler));
       },
       cause_uploading},
  };
}

void PrintTo(const Handler& handler, std::ostream* out) { *out << handler.name; }

class TeardownInHandler : public Teardown, public testing::WithParamInterface<Handler> {};

TEST_P(TeardownInHandler, ThatDoesNotReturn) {
  make_receiver("quota-interval=10000000");
  const auto blocker = std::make_shared<Blocker>();
  connections_.push_back(GetParam().connect(upload(), [blocker] { blocker->block(); }));
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_TRUE(blocker->wait_blocked());
  stop_promptly(receiver_->pipeline());

  // The element is used again while the handler of before still has not returned.
  connections_.clear();
  const std::size_t told_before = receiver_->bus().count(GST_MESSAGE_ERROR);
  const std::size_t failed_before = witness_->failures().size();
  receiver_->play();
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  ASSERT_TRUE(send_chunk(fresh.channel.get(), 0, 2, Bytes(10)));
  ASSERT_TRUE(eventually([&] { return receiver_->stat_uint("chunks-received") == 1; }, kDeadline));
  blocker->release();
  // Nothing of the first upload reaches the second: it completes as if there had been none.
  ASSERT_TRUE(eventually(
      [&] {
        std::size_t spools = 0;
        for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
          spools += target.find(spool_.path()) != std::string::npos;
        }
        return spools == 1;
      },
      kDeadline))
      << "the first upload's spool file is still open";
  ASSERT_TRUE(send_chunk(fresh.channel.get(), 1, 2, Bytes(10)));
  EXPECT_TRUE(eventually([&] { return receiver_->state() == "done"; }, kDeadline));
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), told_before);
  EXPECT_EQ(witness_->failures().size(), failed_before);
}

TEST_P(TeardownInHandler, ThatOutlivesTheElement) {
  make_receiver("quota-interval=10000000");
  const auto blocker = std::make_shared<Blocker>();
  const SignalConnection connection = GetParam().connect(upload(), [blocker] { blocker->block(); });
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_TRUE(blocker->wait_blocked());
  witness_.reset();
  // Stops the pipeline and lets it go.
  receiver_.reset();
  blocker->release();
  expect_no_spool_file();
}

TEST_P(TeardownInHandler, ThatStopsThePipelineItself) {
  make_receiver("quota-interval=10000000");
  auto stopped = std::make_shared<std::promise<void>>();
  auto future = stopped->get_future();
  auto once = std::make_shared<std::once_flag>();
  GstElement* pipeline = receiver_->pipeline();
  connections_.push_back(GetParam().connect(upload(), [pipeline, stopped, once] {
    std::call_once(*once, [&] {
      stop_promptly(pipeline);
      stopped->set_value();
    });
  }));
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_EQ(future.wait_for(kDeadline), std::future_status::ready);
  expect_no_spool_file();
  // And again, with another channel.
  connections_.clear();
  receiver_->play();
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  ASSERT_TRUE(send_file(fresh.channel.get(), random_bytes(1000)));
  EXPECT_TRUE(eventually([&] { return receiver_->state() == "done"; }, kDeadline));
}

INSTANTIATE_TEST_SUITE_P(, TeardownInHandler, testing::ValuesIn(handlers()),
                         [](const auto& handler) { return std::string(handler.param.name); });

}  // namespace
}  // namespace webrtcupload::test
