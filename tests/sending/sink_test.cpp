// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink over a real connection: what it sends, and on which channel.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/wire_v1.h"
#include "sending/sink_fixture.h"
#include "support/odd_directory.h"
#include "support/run_to_end.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

TEST_F(SinkOverAChannel, SizesAroundAChunk) {
  for (const std::size_t size :
       {1U, 2U, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk, 2 * kChunk + 1}) {
    SCOPED_TRACE(size);
    expect_upload(random_bytes(size), 4096);
    next_channel();
  }
}

TEST_F(SinkOverAChannel, AnyBufferSizes) {
  const Bytes data = random_bytes(100'001);
  for (const std::size_t piece : {std::size_t{7}, std::size_t{1000}, std::size_t{kChunk - 1},
                                  std::size_t{kChunk}, std::size_t{kChunk + 1}, data.size()}) {
    SCOPED_TRACE(piece);
    expect_upload(data, piece);
    next_channel();
  }
  // One byte at a time, and one byte in each message.
  expect_upload(random_bytes(3000), 1);
  next_channel();
  expect_upload(random_bytes(300), 300, 1);
}

TEST_F(SinkOverAChannel, LargestMessages) {
  expect_upload(random_bytes(3 * 65528 + 1), 65536, 65528);
}

TEST_F(SinkOverAChannel, SeveralMegabytesInOneBuffer) {
  expect_upload(random_bytes(12'345'678), 12'345'678);
}

TEST_F(SinkOverAChannel, BuffersOfSeveralMemories) {
  const Bytes data = random_bytes(200'000);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  GstBuffer* buffer = gst_buffer_new();
  const std::size_t cuts[] = {0, 1, 60'000, 60'001, 150'000, data.size()};
  for (std::size_t i = 0; i + 1 < std::size(cuts); ++i) {
    GBytes* part = g_bytes_new(data.data() + cuts[i], cuts[i + 1] - cuts[i]);
    GstBuffer* piece = gst_buffer_new_wrapped_bytes(part);
    g_bytes_unref(part);
    buffer = gst_buffer_append(buffer, piece);
  }
  ASSERT_EQ(gst_buffer_n_memory(buffer), std::size(cuts) - 1);
  gst_app_src_push_buffer(GST_APP_SRC(upload.source()), buffer);
  upload.end();
  ASSERT_EQ(upload.outcome(), "");
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, SendsAFile) {
  const Bytes data = random_bytes(1'000'003);
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() + "/file";
  {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(data.data()),
               static_cast<std::streamsize>(data.size()));
  }
  const auto pipeline =
      parse_pipeline("filesrc location=" + path.string() + " ! webrtcuploadsink name=sink");
  ASSERT_TRUE(pipeline);
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "data-channel", near_.channel.get(), nullptr);
  ASSERT_NE(set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_TRUE(wait_for_end(pipeline.get()));
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
  stop_promptly(pipeline.get());
}

TEST_F(SinkOverAChannel, PostsProgress) {
  const Bytes data = random_bytes(20 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data, kChunk);
  upload.end();
  ASSERT_EQ(upload.outcome(), "");
  const auto types = progress_types(upload.bus());
  ASSERT_GE(types.size(), 2U);
  EXPECT_EQ(types.front(), GST_PROGRESS_TYPE_START);
  EXPECT_EQ(types.back(), GST_PROGRESS_TYPE_COMPLETE);
  for (std::size_t i = 1; i + 1 < types.size(); ++i) {
    EXPECT_EQ(types[i], GST_PROGRESS_TYPE_CONTINUE);
  }
  EXPECT_LE(types.size(), 102U);
}

TEST_F(SinkOverAChannel, KeepsTheBufferedAmountWithinItsLimit) {
  for (const guint64 limit : {guint64{262144}, guint64{100'000}, guint64{1}}) {
    SCOPED_TRACE(limit);
    const Bytes data = random_bytes(4'000'000);
    std::atomic<std::uint64_t> peak{0};
    const SignalConnection watch(
        near_.channel.get(), "notify::buffered-amount",
        G_CALLBACK(+[](GObject* channel, GParamSpec*, std::atomic<std::uint64_t>** highest) {
          guint64 amount = 0;
          g_object_get(channel, "buffered-amount", &amount, nullptr);
          std::uint64_t seen = **highest;
          while (amount > seen && !(*highest)->compare_exchange_weak(seen, amount)) {
          }
        }),
        &peak);
    Upload upload(near_);
    upload.announce(data.size());
    g_object_set(upload.sink(), "buffer-limit", limit, nullptr);
    upload.play();
    upload.push(data, 1'000'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    const std::uint64_t allowed = std::max<std::uint64_t>(limit, kV1HeaderSize + kChunk);
    EXPECT_LE(peak, allowed);
    EXPECT_GE(peak, kV1HeaderSize + kChunk);
    EXPECT_LE(stat(upload.sink(), "buffered-peak"), allowed);
    EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
    next_channel();
  }
}

TEST_F(SinkOverAChannel, PauseHoldsTheUploadAndPlayGoesOn) {
  const Bytes data = random_bytes(10 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(std::span(data).first(5 * kChunk), kChunk);
  ASSERT_TRUE(far_->wait_messages(5));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  upload.push(std::span(data).subspan(5 * kChunk), kChunk);
  upload.end();
  // Nothing to wait for here but the absence of something.
  EXPECT_FALSE(far_->wait_messages(6, std::chrono::milliseconds(100)));
  upload.play();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, PauseWhileWaitingForTheConfirmation) {
  far_->set_echo(false);
  const Bytes data = random_bytes(1000);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  ASSERT_TRUE(send_bytes(far_->channel(), Bytes{0}));
  upload.play();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_TRUE(confirmed(upload.sink()));
  EXPECT_EQ(far_->message_count(), 2U) << "the keepalive was sent again";
}

TEST_F(SinkOverAChannel, APeerThatDoesNotConfirmIsAWarning) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  g_object_set(upload.sink(), "confirm-timeout", guint64{GST_MSECOND}, nullptr);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_WARNING), 1U);
  EXPECT_FALSE(confirmed(upload.sink()));
}

TEST_F(SinkOverAChannel, WithoutConfirmationNothingButChunksIsSent) {
  far_->set_echo(false);
  const Bytes data = random_bytes(100'000);
  Upload upload(near_);
  upload.announce(data.size());
  g_object_set(upload.sink(), "confirm", FALSE, nullptr);
  upload.play();
  upload.push(data);
  upload.end();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_WARNING), 0U);
  ASSERT_TRUE(far_->wait_messages(3));
  EXPECT_EQ(far_->message_count(), 3U);
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, TwiceTheSame) {
  Upload upload(near_);
  const Bytes data = random_bytes(2 * kChunk + 1);
  for (int run = 0; run < 2; ++run) {
    SCOPED_TRACE(run);
    upload.announce(data.size());
    upload.play();
    upload.push(data, 10'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
    stop_promptly(upload.pipeline());
    EXPECT_EQ(near_.observer->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
        << "an adopted channel stays the application's";
    next_channel();
    g_object_set(upload.sink(), "data-channel", near_.channel.get(), nullptr);
  }
}

// The sink makes its channel itself.

TEST(SinkOnAWebrtcbin, InTheSamePipelineByName) {
  PeerPair pair;
  const Bytes data = random_bytes(200'000);
  pair.add(Side::kOfferer, gst_element_factory_make("appsrc", "source"));
  pair.add(Side::kOfferer, gst_element_factory_make("webrtcuploadsink", "sink"));
  const GstPtr<GstElement> source(
      gst_bin_get_by_name(GST_BIN(pair.pipeline(Side::kOfferer)), "source"));
  const GstPtr<GstElement> sink(
      gst_bin_get_by_name(GST_BIN(pair.pipeline(Side::kOfferer)), "sink"));
  ASSERT_TRUE(sink);
  ASSERT_TRUE(gst_element_link(source.get(), sink.get()));
  g_object_set(source.get(), "max-bytes", guint64{0}, nullptr);
  g_object_set(sink.get(), "webrtcbin-name", "pc", "size", guint64{data.size()}, "channel-label",
               "my_upload", nullptr);
  ASSERT_TRUE(pair.start());
  // The channel exists, so the offer speaks of it.
  ASSERT_TRUE(pair.negotiate());
  const auto far = pair.incoming(Side::kAnswerer, "my_upload");
  ASSERT_TRUE(far);
  far->set_echo(true);
  gst_app_src_push_buffer(GST_APP_SRC(source.get()),
                          gst_buffer_new_memdup(data.data(), data.size()));
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  ASSERT_TRUE(far->wait_messages(6));
  EXPECT_TRUE(reassemble_v1(far->messages()) == data);
  const auto complete = pair.bus(Side::kOfferer).wait(GST_MESSAGE_PROGRESS, [](GstMessage* m) {
    return progress_type(m) == GST_PROGRESS_TYPE_COMPLETE;
  });
  EXPECT_TRUE(complete);
  stop_promptly(pair.pipeline(Side::kOfferer));
  EXPECT_EQ(pair.bus(Side::kOfferer).count(GST_MESSAGE_ERROR), 0U);
}

TEST(SinkOnAWebrtcbin, InAnotherPipelineTwice) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  Upload upload;
  const Bytes data = random_bytes(100'000);
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
  for (int run = 0; run < 2; ++run) {
    SCOPED_TRACE(run);
    const std::string label = "run" + std::to_string(run);
    g_object_set(upload.sink(), "channel-label", label.c_str(), nullptr);
    upload.announce(data.size());
    upload.play();
    if (run == 0) {
      ASSERT_TRUE(pair.negotiate());
    }
    const auto far = pair.incoming(Side::kAnswerer, label);
    ASSERT_TRUE(far);
    far->set_echo(true);
    upload.push(data, 10'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    EXPECT_TRUE(reassemble_v1(far->messages()) == data);
    stop_promptly(upload.pipeline());
    EXPECT_TRUE(far->wait_closed()) << "a channel of its own is closed at the end";
  }
}

TEST(SinkOnAWebrtcbin, TeardownWhileWaitingForTheChannelToOpen) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  Upload upload;
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
  upload.announce(10);
  upload.play();
  upload.push(random_bytes(10));
  // It waits: the upload has begun, and nobody negotiates.
  ASSERT_TRUE(upload.bus().wait(GST_MESSAGE_PROGRESS));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
}

// The first bytes may come, and the streaming thread begin to wait, in the middle of the change to
// PLAYING. Where exactly differs from run to run, so it is tried many times.
TEST(SinkOnAWebrtcbin, StateChangesDoNotWaitForTheChannel) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  for (int i = 0; i < 1500; ++i) {
    Upload upload;
    g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
    upload.announce(10);
    ASSERT_NE(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    std::barrier together(2);
    std::thread source([&] {
      together.arrive_and_wait();
      // A little later each time.
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 300);
      while (std::chrono::steady_clock::now() < until) {
      }
      upload.push(random_bytes(10));
    });
    together.arrive_and_wait();
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(gst_element_set_state(upload.pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_SUCCESS);
    source.join();
    stop_promptly(upload.pipeline());
    ASSERT_LT(std::chrono::steady_clock::now() - start, kPrompt);
  }
}

TEST(SinkOnAWebrtcbin, LeavesNoDescriptorBehind) {
  const auto once = [] {
    PeerPair pair;
    ASSERT_TRUE(pair.start());
    Upload upload;
    g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
    upload.announce(10);
    upload.play();
    ASSERT_TRUE(pair.negotiate());
    upload.push(random_bytes(10));
    const auto far = pair.incoming(Side::kAnswerer);
    ASSERT_TRUE(far);
    ASSERT_TRUE(far->wait_messages(1));
  };
  once();
  const FdGuard descriptors;
  once();
  descriptors.expect_none_new();
}

}  // namespace
}  // namespace webrtcupload::test
