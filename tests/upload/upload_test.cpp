// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcupload over a real pair of webrtcbins: what arrives comes out, whatever the order and the
// sizes of the chunks.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <numeric>
#include <random>

#include "core/upload_state.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

class Upload : public testing::Test {
 protected:
  FdGuard descriptors_;
  PeerPair pair_{{.observe_incoming = false}};
};

TEST_F(Upload, BytesComeOutAsTheyWentIn) {
  const Bytes file = random_bytes(1'000'000);
  {
    ReceivingPipeline receiver(pair_.answerer());
    receiver.play();
    const auto channel = pair_.connect();
    const auto chunks = cut(file, 49152);
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
      ASSERT_TRUE(send_chunk(channel.channel.get(), i, chunks.size(), chunks[i]));
    }
    ASSERT_TRUE(receiver.wait_eos());
    EXPECT_EQ(receiver.bytes(), file);
    EXPECT_EQ(receiver.state(), "done");
    EXPECT_EQ(receiver.stat_u64("bytes"), file.size());
    EXPECT_EQ(receiver.stat_uint("chunks-received"), chunks.size());
    EXPECT_GE(receiver.stat_u64("backlog-peak"), 49152U);
  }
}

TEST_F(Upload, AnyOrderAndAnySizesWithRepetitions) {
  const Bytes file = random_bytes(300'000, 2);
  std::mt19937 random(7);
  std::vector<Bytes> chunks;
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t size = std::min<std::size_t>(file.size() - at, 1 + random() % 20'000);
    chunks.emplace_back(file.begin() + static_cast<std::ptrdiff_t>(at),
                        file.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
  }
  std::vector<std::uint32_t> order(chunks.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);

  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  const auto channel = pair_.connect();
  for (const std::uint32_t i : order) {
    ASSERT_TRUE(send_chunk(channel.channel.get(), i, chunks.size(), chunks[i]));
    if (i % 5 == 0 && i != order.back()) {
      ASSERT_TRUE(send_chunk(channel.channel.get(), i, chunks.size(), chunks[i]));
    }
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  EXPECT_GT(receiver.stat_u64("duplicates"), 0U);
}

// Also when quotas are not looked at while the upload goes on.
TEST_F(Upload, OverQuotaBeforeTheFirstByte) {
  ReceivingPipeline receiver(pair_.answerer(), "quota-interval=0");
  const auto connection = on_check_quota(receiver.upload(), [] { return false; });
  receiver.play();
  const auto channel = pair_.connect();
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 2, random_bytes(1000)));
  EXPECT_EQ(receiver.wait_error().code, "quota-exceeded");
  EXPECT_EQ(receiver.stat_u64("bytes"), 0U);
  EXPECT_TRUE(channel.observer->wait_closed());
}

// The end of the file is where demuxers look first.
TEST_F(Upload, PulledFromIsDoneOnlyWhenAllWasRead) {
  const Bytes file = random_bytes(100'000, 4);
  const auto size = static_cast<guint64>(file.size());
  const GstPtr<GstElement> upload(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("webrtcupload", nullptr))));
  g_object_set(upload.get(), "webrtcbin", pair_.answerer(), nullptr);
  const GstPtr<GstPad> src(gst_element_get_static_pad(upload.get(), "src"));
  ASSERT_EQ(gst_element_set_state(upload.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  ASSERT_TRUE(gst_pad_activate_mode(src.get(), GST_PAD_MODE_PULL, TRUE));
  ASSERT_EQ(gst_element_set_state(upload.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  const auto channel = pair_.connect();
  ASSERT_TRUE(send_file(channel.channel.get(), file));

  const auto pull = [&src](guint64 offset, guint length) {
    GstBuffer* buffer = nullptr;
    const GstFlowReturn flow = gst_pad_get_range(src.get(), offset, length, &buffer);
    const GstBufferPtr owned(buffer);
    return flow;
  };
  const auto state = [&upload] {
    gint value = -1;
    g_object_get(upload.get(), "state", &value, nullptr);
    return static_cast<UploadState>(value);
  };
  EXPECT_EQ(pull(size, 10), GST_FLOW_EOS);
  EXPECT_EQ(state(), UploadState::kProcessing);
  EXPECT_EQ(pull(size / 2, size / 2), GST_FLOW_OK);
  EXPECT_EQ(pull(size, 10), GST_FLOW_EOS);
  EXPECT_EQ(state(), UploadState::kProcessing) << "only half of it has been read";
  EXPECT_EQ(pull(0, size / 2), GST_FLOW_OK);
  EXPECT_EQ(pull(size, 10), GST_FLOW_EOS);
  EXPECT_EQ(state(), UploadState::kDone);

  EXPECT_EQ(gst_element_set_state(upload.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

// Behind a decodebin that is just plugging an element in, whose errors it still drops.
TEST_F(Upload, ANewReaderWaitsForTheAutoplugger) {
  const Bytes file = random_bytes(10'000, 4);
  const GstPtr<GstElement> pipeline(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  GstElement* upload = gst_element_factory_make("webrtcupload", nullptr);
  GstElement* decodebin = gst_element_factory_make("decodebin", nullptr);
  GstElement* plugged = gst_element_factory_make("identity", nullptr);
  gst_bin_add(GST_BIN(decodebin), plugged);
  gst_bin_add_many(GST_BIN(pipeline.get()), upload, decodebin, nullptr);
  g_object_set(upload, "webrtcbin", pair_.answerer(), nullptr);
  const GstPtr<GstPad> src(gst_element_get_static_pad(upload, "src"));
  ASSERT_EQ(gst_element_set_state(upload, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  ASSERT_TRUE(gst_pad_activate_mode(src.get(), GST_PAD_MODE_PULL, TRUE));
  ASSERT_EQ(gst_element_set_state(upload, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  const auto channel = pair_.connect();
  ASSERT_TRUE(send_file(channel.channel.get(), file));
  const auto read = [&src] {
    GstBuffer* buffer = nullptr;
    const GstFlowReturn flow = gst_pad_get_range(src.get(), 0, 10, &buffer);
    const GstBufferPtr owned(buffer);
    return flow;
  };
  // Until all is there, and this thread has read.
  ASSERT_EQ(read(), GST_FLOW_OK);

  gst_element_set_locked_state(plugged, TRUE);
  EXPECT_EQ(read(), GST_FLOW_OK) << "the autoplugger may be on this thread";
  const auto start = std::chrono::steady_clock::now();
  auto demuxer = std::async(std::launch::async, read);
  EXPECT_EQ(demuxer.get(), GST_FLOW_OK);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1))
      << "it did not wait, not even as long as it waits at most";
  gst_element_set_locked_state(plugged, FALSE);
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

// The protocol field will choose a later version; what it asks for must not be read as v1.
TEST_F(Upload, ChannelOfAnotherProtocolIsLeftAlone) {
  const Bytes file = random_bytes(10'000, 3);
  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  ASSERT_TRUE(pair_.start());
  const GstStructurePtr options(
      gst_structure_new("options", "protocol", G_TYPE_STRING, "webrtcupload.v99", nullptr));
  const auto other = pair_.create_channel("video_upload", Side::kOfferer, options.get());
  const auto fitting = pair_.create_channel("video_upload");
  ChannelObserver other_observer(other.get());
  ChannelObserver fitting_observer(fitting.get());
  ASSERT_TRUE(pair_.negotiate());
  ASSERT_TRUE(other_observer.wait_open());
  ASSERT_TRUE(fitting_observer.wait_open());
  ASSERT_TRUE(send_chunk(other.get(), 0, 1, Bytes(5, 0)));
  ASSERT_TRUE(send_chunk(fitting.get(), 0, 1, file));
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
}

// webrtcbin counts as a sink and never posts EOS itself, which would keep these pipelines from
// ending.
TEST_F(Upload, PipelinesWithTheWebrtcbinInsideEnd) {
  constexpr int kSize = 200'000;
  const auto add = [this](Side side, const char* factory, const char* name) {
    GstElement* element = gst_element_factory_make(factory, name);
    pair_.add(side, element);
    return element;
  };
  GstElement* upload = add(Side::kAnswerer, "webrtcupload", "upload");
  GstElement* end = add(Side::kAnswerer, "fakesink", "end");
  ASSERT_TRUE(gst_element_link(upload, end));
  g_object_set(upload, "webrtcbin-name", "pc", nullptr);
  GstElement* source = add(Side::kOfferer, "fakesrc", "source");
  g_object_set(source, "num-buffers", 1, "sizetype", 2, "sizemax", kSize, nullptr);
  GstElement* sink = add(Side::kOfferer, "webrtcuploadsink", "upload");
  ASSERT_TRUE(gst_element_link(source, sink));
  g_object_set(sink, "webrtcbin-name", "pc", "size", guint64{kSize}, nullptr);

  // Not start(): they reach PLAYING only when data has come.
  for (const Side side : {Side::kOfferer, Side::kAnswerer}) {
    ASSERT_NE(gst_element_set_state(pair_.pipeline(side), GST_STATE_PLAYING),
              GST_STATE_CHANGE_FAILURE);
  }
  ASSERT_TRUE(pair_.negotiate());
  EXPECT_TRUE(pair_.bus(Side::kAnswerer).wait(GST_MESSAGE_EOS));
  EXPECT_TRUE(pair_.bus(Side::kOfferer).wait(GST_MESSAGE_EOS));
}

// As gst-launch-1.0 -e does when it is interrupted.
TEST_F(Upload, PipelineWithTheWebrtcbinInsideEndsWhenToldTo) {
  GstElement* upload = gst_element_factory_make("webrtcupload", "upload");
  GstElement* end = gst_element_factory_make("fakesink", "end");
  pair_.add(Side::kAnswerer, upload);
  pair_.add(Side::kAnswerer, end);
  ASSERT_TRUE(gst_element_link(upload, end));
  g_object_set(upload, "webrtcbin-name", "pc", nullptr);
  GstElement* pipeline = pair_.pipeline(Side::kAnswerer);
  ASSERT_NE(gst_element_set_state(pipeline, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  ASSERT_TRUE(gst_element_send_event(pipeline, gst_event_new_eos()));
  EXPECT_TRUE(pair_.bus(Side::kAnswerer).wait(GST_MESSAGE_EOS));
}

}  // namespace
}  // namespace webrtcupload::test
