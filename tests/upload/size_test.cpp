// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcupload says about the size of the file, and when: queries, the segment, and
// duration-changed.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using PadPtr = GstPtr<GstPad>;
using QueryPtr = GstMiniPtr<GstQuery>;

class Size : public testing::Test {
 protected:
  // What the element says now; -1: not known. Nothing: no answer.
  static std::optional<gint64> seekable_to(GstElement* upload) {
    const QueryPtr query(gst_query_new_seeking(GST_FORMAT_BYTES));
    if (!gst_pad_query(src(upload).get(), query.get())) return std::nullopt;
    gboolean seekable = FALSE;
    gint64 begin = -1;
    gint64 end = 0;
    gst_query_parse_seeking(query.get(), nullptr, &seekable, &begin, &end);
    EXPECT_TRUE(seekable);
    EXPECT_EQ(begin, 0);
    return end;
  }
  static std::optional<gint64> duration(GstElement* upload) {
    gint64 bytes = 0;
    if (!gst_pad_query_duration(src(upload).get(), GST_FORMAT_BYTES, &bytes)) return std::nullopt;
    return bytes;
  }
  static guint64 segment_duration(GstElement* upload) {
    const GstMiniPtr<GstEvent> event(
        gst_pad_get_sticky_event(src(upload).get(), GST_EVENT_SEGMENT, 0));
    if (!event) return 0;
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(event.get(), &segment);
    return segment->duration;
  }
  static PadPtr src(GstElement* upload) {
    return PadPtr(gst_element_get_static_pad(upload, "src"));
  }
  static std::size_t changes(ReceivingPipeline& receiver) {
    return receiver.bus().count(GST_MESSAGE_DURATION_CHANGED);
  }

  void send(std::uint32_t index, std::uint32_t total, std::size_t size) {
    ASSERT_TRUE(send_chunk(channel_.channel.get(), index, total, random_bytes(size, index)));
  }

  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
};

TEST_F(Size, IsToldWhenAllHasArrived) {
  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  channel_ = pair_.connect();
  send(0, 3, 10'000);
  ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == 1; }));
  EXPECT_EQ(changes(receiver), 0U);
  EXPECT_EQ(seekable_to(receiver.upload()), -1) << "the last chunks may have any size";
  // What the application hears when it is told that the upload is complete is right already.
  std::optional<gint64> at_completion;
  const SignalConnection on_complete(
      receiver.upload(), "upload-complete",
      G_CALLBACK(
          +[](GstElement* upload, std::optional<gint64>** told) { **told = seekable_to(upload); }),
      &at_completion);
  send(1, 3, 20'000);
  send(2, 3, 5'000);
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(changes(receiver), 1U);
  EXPECT_EQ(at_completion, 35'000);
  EXPECT_EQ(seekable_to(receiver.upload()), 35'000);
  EXPECT_EQ(duration(receiver.upload()), 35'000);
  EXPECT_EQ(segment_duration(receiver.upload()), 35'000U);
}

TEST_F(Size, IsToldWhoeverPulls) {
  ReceivingPipeline receiver(pair_.answerer(), "", "typefind ! fakesink sync=false");
  receiver.play();
  channel_ = pair_.connect();
  send(0, 2, 10'000);
  ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == 1; }));
  EXPECT_EQ(seekable_to(receiver.upload()), -1) << "an answer, and at once";
  send(1, 2, 7'000);
  const auto told = receiver.bus().wait(GST_MESSAGE_DURATION_CHANGED);
  ASSERT_TRUE(told);
  EXPECT_EQ(GST_MESSAGE_SRC(told.get()), GST_OBJECT(receiver.upload()));
  EXPECT_EQ(seekable_to(receiver.upload()), 17'000);
  EXPECT_EQ(duration(receiver.upload()), 17'000);
}

// An estimate at first, which grows when a chunk is larger than those before, and is exact at last.
TEST_F(Size, IsToldAsItIsKnown) {
  constexpr std::uint32_t kChunks = 2000;
  ReceivingPipeline receiver(pair_.answerer(), "progressive=true");
  receiver.play();
  channel_ = pair_.connect();
  send(0, kChunks, 100);
  ASSERT_TRUE(receiver.bus().wait(GST_MESSAGE_DURATION_CHANGED));
  EXPECT_EQ(seekable_to(receiver.upload()), 100 * kChunks);
  EXPECT_EQ(duration(receiver.upload()), 100 * kChunks);
  // It is told at the pace of the progress, so at the latest with the next percent but ten.
  std::uint32_t sent = 1;
  for (; sent < kChunks - 1 && changes(receiver) == 1; ++sent) {
    send(sent, kChunks, 200);
    ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == sent + 1; }));
  }
  EXPECT_EQ(changes(receiver), 2U);
  EXPECT_EQ(seekable_to(receiver.upload()), 100 + 200 * (kChunks - 1));
  for (; sent < kChunks - 1; ++sent) send(sent, kChunks, 200);
  send(kChunks - 1, kChunks, 1);
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(seekable_to(receiver.upload()), 100 + 200 * (kChunks - 2) + 1);
  EXPECT_EQ(changes(receiver), 3U);
}

// No upload tells its size as that of the one before.
TEST_F(Size, OfAnotherUpload) {
  ReceivingPipeline receiver(pair_.answerer());
  for (std::size_t i = 1; i <= 2; ++i) {
    receiver.play();
    if (i == 1) {
      channel_ = pair_.connect();
    } else {
      channel_ = open_channel(pair_);
    }
    send(0, 1, 3'000);
    ASSERT_TRUE(receiver.wait_eos());
    EXPECT_EQ(changes(receiver), i);
    stop_promptly(receiver.pipeline());
  }
}

}  // namespace
}  // namespace webrtcupload::test
