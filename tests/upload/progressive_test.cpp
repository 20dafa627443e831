// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What decodes when: the two ways of delivery with real MP4 files, index first and index last.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "upload/film_bytes.h"
#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {
namespace {

constexpr int kFrames = 300;
constexpr std::size_t kChunkSize = 49152;

// An MP4 with H.264, index first or last. Noise, so that 10 % of it are several chunks.
Bytes make_mp4(bool index_first) {
  return film_bytes("videotestsrc pattern=snow num-buffers=" + std::to_string(kFrames) +
                    " ! video/x-raw,width=320,height=240,framerate=30/1 ! x264enc "
                    "speed-preset=ultrafast tune=zerolatency key-int-max=30 ! mp4mux faststart=" +
                    (index_first ? "true" : "false"));
}

// Counts what reaches `sink`, a fakesink.
class FrameCounter {
 public:
  explicit FrameCounter(GstElement* pipeline) {
    const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    on_handoff_ = SignalConnection(
        sink.get(), "handoff",
        G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, std::shared_ptr<Count>* count) {
          {
            const std::lock_guard lock((*count)->mutex);
            ++(*count)->frames;
          }
          (*count)->changed.notify_all();
        }),
        count_);
  }

  bool wait_first() {
    std::unique_lock lock(count_->mutex);
    return count_->changed.wait_for(lock, kDeadline, [this] { return count_->frames > 0; });
  }
  int frames() const {
    const std::lock_guard lock(count_->mutex);
    return count_->frames;
  }

 private:
  struct Count {
    mutable std::mutex mutex;
    std::condition_variable changed;
    int frames = 0;
  };
  std::shared_ptr<Count> count_ = std::make_shared<Count>();
  SignalConnection on_handoff_;
};

constexpr char kDecode[] =
    "decodebin ! fakesink name=sink signal-handoffs=true sync=false async=false";

class Delivery : public testing::Test {
 protected:
  void send(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const std::size_t at = i * kChunkSize;
      const auto chunk = std::span(file_).subspan(at, std::min(kChunkSize, file_.size() - at));
      ASSERT_TRUE(send_chunk(channel_.channel.get(), i, chunks(), chunk));
    }
  }
  std::size_t chunks() const { return (file_.size() + kChunkSize - 1) / kChunkSize; }

  Bytes file_;
  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
};

TEST_F(Delivery, ProgressiveDecodesBeforeATenthHasArrived) {
  file_ = make_mp4(true);
  const std::size_t tenth = chunks() / 10;
  ASSERT_GE(tenth, 2U) << "the file is too small to tell: " << file_.size() << " bytes";
  ReceivingPipeline receiver(pair_.answerer(), "progressive=true", kDecode);
  FrameCounter frames(receiver.pipeline());
  receiver.play();
  channel_ = pair_.connect();

  send(0, tenth);
  EXPECT_TRUE(frames.wait_first())
      << "no frame from the first " << tenth << " of " << chunks() << " chunks";
  EXPECT_EQ(receiver.state(), "uploading");
  send(tenth, chunks());
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(frames.frames(), kFrames);
  EXPECT_EQ(receiver.state(), "done");
}

TEST_F(Delivery, ProgressiveWaitsForAnIndexAtTheEnd) {
  file_ = make_mp4(false);
  ReceivingPipeline receiver(pair_.answerer(), "progressive=true", kDecode);
  FrameCounter frames(receiver.pipeline());
  receiver.play();
  channel_ = pair_.connect();
  send(0, chunks());
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(frames.frames(), kFrames);
}

TEST_F(Delivery, CompletedOnlyDecodesNothingBeforeTheLastChunk) {
  file_ = make_mp4(true);
  ReceivingPipeline receiver(pair_.answerer(), "", kDecode);
  FrameCounter frames(receiver.pipeline());
  receiver.play();
  channel_ = pair_.connect();
  send(0, chunks() - 1);
  ASSERT_TRUE(
      eventually([&] { return receiver.stat_uint("chunks-received") == chunks() - 1; }, kDeadline));
  EXPECT_EQ(frames.frames(), 0);
  EXPECT_EQ(receiver.state(), "uploading");
  send(chunks() - 1, chunks());
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(frames.frames(), kFrames);
}

TEST_F(Delivery, CompletedOnlyReadsAnIndexAtTheEnd) {
  file_ = make_mp4(false);
  ReceivingPipeline receiver(pair_.answerer(), "", kDecode);
  FrameCounter frames(receiver.pipeline());
  receiver.play();
  channel_ = pair_.connect();
  send(0, chunks());
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(frames.frames(), kFrames);
}

}  // namespace
}  // namespace webrtcupload::test
