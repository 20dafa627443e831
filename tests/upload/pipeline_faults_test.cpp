// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is downstream stands still, fails or changes its mind while data comes: the upload goes on,
// and whoever reads it gets the right bytes.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

constexpr std::size_t kChunk = 16'000;

// One connection for all tests; each has a channel of its own on it.
class PipelineFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
    ASSERT_TRUE(pair_->connect("first").channel);
  }
  static void TearDownTestSuite() { pair_.reset(); }

  void begin(ReceivingPipeline& receiver) {
    receiver.play();
    channel_ = open_channel(*pair_);
    ASSERT_TRUE(channel_.channel);
  }
  // The chunks from `from` to before `to`; returns when they are stored.
  void send(ReceivingPipeline& receiver, std::size_t from, std::size_t to) {
    const auto total = static_cast<std::uint32_t>(chunks_.size());
    for (std::size_t i = from; i < to; ++i) {
      ASSERT_TRUE(
          send_chunk(channel_.channel.get(), static_cast<std::uint32_t>(i), total, chunks_[i]));
    }
    ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == to; }));
  }

  static inline std::unique_ptr<PeerPair> pair_;
  PeerPair::Channel channel_;
  const Bytes file_ = random_bytes(500'000);
  const std::vector<Bytes> chunks_ = cut(file_, kChunk);
};

TEST_F(PipelineFaults, AStandstillHoldsNothingUpButTheReading) {
  ReceivingPipeline receiver(pair_->answerer(), "progressive=true");
  const UploadWitness witness(receiver.upload());
  const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(receiver.pipeline()), "sink"));
  const auto blocker = std::make_shared<Blocker>();
  const SignalConnection blocking(
      sink.get(), "handoff",
      G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, std::shared_ptr<Blocker>* standstill) {
        (*standstill)->block();
      }),
      blocker);
  begin(receiver);
  send(receiver, 0, chunks_.size() / 2);
  ASSERT_TRUE(blocker->wait_blocked());
  send(receiver, chunks_.size() / 2, chunks_.size());
  EXPECT_TRUE(witness.wait_complete());
  EXPECT_EQ(receiver.stat_u64("bytes"), file_.size());
  EXPECT_EQ(receiver.stat_u64("backlog"), 0U);
  EXPECT_LT(receiver.bytes().size(), file_.size());
  blocker->release();
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file_);
  EXPECT_EQ(witness.completions(), 1);
}

// The pipeline's errors are not the upload's: what comes is stored, until the application stops it.
TEST_F(PipelineFaults, AnErrorLeavesTheUploadToTheApplication) {
  for (const bool completes : {false, true}) {
    SCOPED_TRACE(completes);
    ReceivingPipeline receiver(pair_->answerer(), "progressive=true",
                               "identity name=broken error-after=2 ! fakesink");
    const UploadWitness witness(receiver.upload());
    begin(receiver);
    send(receiver, 0, chunks_.size() / 2);
    const GstMessagePtr error = receiver.bus().wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_STREQ(GST_OBJECT_NAME(GST_MESSAGE_SRC(error.get())), "broken");
    send(receiver, chunks_.size() / 2, completes ? chunks_.size() : chunks_.size() - 1);
    if (completes) {
      EXPECT_TRUE(witness.wait_complete());
    }
    EXPECT_TRUE(witness.failures().empty());
    stop_promptly(receiver.pipeline());
    // A sender that has sent everything is done.
    if (!completes) {
      EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender does not notice";
    }
    EXPECT_EQ(witness.completions(), completes ? 1 : 0);
    EXPECT_TRUE(witness.failures().empty());
  }
}

// Looks at what reaches a sink: whether each buffer is that part of the file that it says it is,
// and what has come since the last flush.
class Reader {
 public:
  Reader(GstElement* sink, const Bytes& file) : state_(std::make_shared<State>(file)) {
    const GstPtr<GstPad> pad(gst_element_get_static_pad(sink, "sink"));
    const auto mask =
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_FLUSH);
    gst_pad_add_probe(
        pad.get(), mask,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          (*static_cast<std::shared_ptr<State>*>(data))->see(info);
          return GST_PAD_PROBE_OK;
        },
        new std::shared_ptr<State>(state_),
        [](gpointer data) { delete static_cast<std::shared_ptr<State>*>(data); });
  }
  [[nodiscard]] Bytes bytes() const {
    const std::lock_guard lock(state_->mutex);
    return state_->bytes;
  }
  [[nodiscard]] int wrong() const {
    const std::lock_guard lock(state_->mutex);
    return state_->wrong;
  }

 private:
  struct State {
    explicit State(const Bytes& whole) : file(whole) {}
    void see(GstPadProbeInfo* info) {
      const std::lock_guard lock(mutex);
      if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_FLUSH) return bytes.clear();
      GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
      GstMapInfo map;
      if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return;
      const guint64 offset = GST_BUFFER_OFFSET(buffer);
      if (offset + map.size > file.size() ||
          !std::equal(map.data, map.data + map.size, file.begin() + static_cast<gssize>(offset))) {
        ++wrong;
      }
      bytes.insert(bytes.end(), map.data, map.data + map.size);
      gst_buffer_unmap(buffer, &map);
    }
    const Bytes& file;
    std::mutex mutex;
    Bytes bytes;
    int wrong = 0;
  };
  const std::shared_ptr<State> state_;
};

bool seek(GstElement* sink, std::size_t position) {
  return gst_element_seek(sink, 1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                          static_cast<gint64>(position), GST_SEEK_TYPE_NONE, -1);
}

class PipelineSeeks : public PipelineFaults, public testing::WithParamInterface<bool> {};

TEST_P(PipelineSeeks, GetTheRightBytesWhileDataComes) {
  const bool progressive = GetParam();
  ReceivingPipeline receiver(pair_->answerer(),
                             progressive ? "progressive=true" : "progressive=false",
                             "fakesink name=sink sync=false async=false");
  const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(receiver.pipeline()), "sink"));
  const Reader reader(sink.get(), file_);
  begin(receiver);
  std::mt19937 random(5);
  std::uniform_int_distribution<std::size_t> anywhere(0, file_.size() - 1);
  std::size_t seeks = 0;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    send(receiver, i, i + 1);
    // Back, forth, and to what has not come yet. (There is nothing to seek in before the first
    // one.)
    seeks += seek(sink.get(), anywhere(random));
  }
  EXPECT_EQ(seeks, chunks_.size());
  const std::size_t last = file_.size() / 3;
  ASSERT_TRUE(seek(sink.get(), last));
  const auto rest = [&] { return Bytes(file_.begin() + static_cast<gssize>(last), file_.end()); };
  EXPECT_TRUE(eventually([&] { return reader.bytes() == rest(); }));
  // And all of it, once it is there.
  ASSERT_TRUE(seek(sink.get(), 0));
  EXPECT_TRUE(eventually([&] { return reader.bytes() == file_; }));
  EXPECT_EQ(reader.wrong(), 0);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 0U);
  EXPECT_EQ(receiver.stat_u64("bytes"), file_.size());
  stop_promptly(receiver.pipeline());
}

INSTANTIATE_TEST_SUITE_P(, PipelineSeeks, testing::Bool(), [](const auto& test_case) {
  return test_case.param ? "Progressive" : "CompletedOnly";
});

// Readers that pull wait for the last chunk, wherever they read.
TEST_F(PipelineFaults, ReadsAnywhereGetTheRightBytesWhileDataComes) {
  ReceivingPipeline receiver(pair_->answerer(), "", "fakesink");
  const GstPtr<GstPad> pad(gst_element_get_static_pad(receiver.upload(), "src"));
  ASSERT_NE(gst_element_set_state(receiver.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  channel_ = open_channel(*pair_);
  ASSERT_TRUE(channel_.channel);
  ASSERT_TRUE(gst_pad_activate_mode(pad.get(), GST_PAD_MODE_PUSH, FALSE));
  ASSERT_TRUE(gst_pad_activate_mode(pad.get(), GST_PAD_MODE_PULL, TRUE));
  std::atomic<int> right = 0;
  const auto read = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<std::size_t> anywhere(0, file_.size() - 1000);
    for (int i = 0; i < 100; ++i) {
      const std::size_t at = anywhere(random);
      GstBuffer* raw = nullptr;
      if (gst_pad_get_range(pad.get(), at, 1000, &raw) != GST_FLOW_OK) return;
      const GstMiniPtr<GstBuffer> buffer(raw);
      right += gst_buffer_get_size(raw) == 1000 &&
               gst_buffer_memcmp(raw, 0, file_.data() + at, 1000) == 0;
    }
  };
  std::vector<std::thread> readers;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) readers.emplace_back(read, seed);
  send(receiver, 0, chunks_.size());
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(right, 300);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 0U);
  gst_pad_activate_mode(pad.get(), GST_PAD_MODE_PULL, FALSE);
}

}  // namespace
}  // namespace webrtcupload::test
