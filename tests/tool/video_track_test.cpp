// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Analysed frames on their way back as a track, over a real connection.

#include "tool/session/video_track.h"

#include <gst/video/video.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"

namespace webrtcupload {
namespace {

using test::eventually;
using test::kDeadline;
using test::PeerPair;
using Side = PeerPair::Side;

constexpr GstClockTime kFrameTime = GST_SECOND / 25;

GstCapsPtr raw_caps(int width, int height) {
  return GstCapsPtr(gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "I420", "width",
                                        G_TYPE_INT, width, "height", G_TYPE_INT, height,
                                        "framerate", GST_TYPE_FRACTION, 25, 1, nullptr));
}

GstBufferPtr frame(int number, int width = 64, int height = 48) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, static_cast<guint>(width),
                            static_cast<guint>(height));
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr);
  gst_buffer_memset(buffer, 0, static_cast<guint8>(16 + number * 8 % 200),
                    gst_buffer_get_size(buffer));
  // Not from 0, as in files whose first frame comes later.
  GST_BUFFER_PTS(buffer) = GST_SECOND + static_cast<guint64>(number) * kFrameTime;
  return GstBufferPtr(buffer);
}

// The client's side: takes a track, decodes it, and notes its frames.
class Viewer {
 public:
  explicit Viewer(PeerPair& pair, const char* codec, int payload_type)
      : pair_(pair), codec_(codec) {
    const GstCapsPtr caps(gst_caps_new_simple(
        "application/x-rtp", "media", G_TYPE_STRING, "video", "encoding-name", G_TYPE_STRING, codec,
        "payload", G_TYPE_INT, payload_type, "clock-rate", G_TYPE_INT, 90000, nullptr));
    GObject* transceiver = nullptr;
    g_signal_emit_by_name(pair.offerer(), "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps.get(), &transceiver);
    g_clear_object(&transceiver);
    connection_ = SignalConnection(
        pair.offerer(), "pad-added",
        G_CALLBACK(+[](GstElement*, GstPad* pad, Viewer** self) { (*self)->on_pad(pad); }), this);
  }

  // Distinct timestamps of frames that came, in RTP ticks.
  [[nodiscard]] std::vector<guint32> frames() const {
    const std::lock_guard lock(mutex_);
    return ticks_;
  }
  bool wait_frames(std::size_t count) const {
    return eventually([&] { return frames().size() >= count; }, kDeadline);
  }
  [[nodiscard]] int width() const { return size().first; }
  // Of the last frame.
  [[nodiscard]] std::pair<int, int> size() const {
    const std::lock_guard lock(mutex_);
    return {width_, height_};
  }

 private:
  void on_pad(GstPad* pad) {
    const std::string depay = std::string(codec_) == "VP8"
                                  ? "rtpvp8depay ! vp8dec"
                                  : "rtph264depay ! avdec_h264 max-threads=1";
    GstElement* bin = gst_parse_bin_from_description(
        (depay + " ! fakesink name=out sync=false async=false signal-handoffs=true").c_str(), TRUE,
        nullptr);
    const GstPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(bin), "out"));
    g_signal_connect(out.get(), "handoff",
                     G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad* at, Viewer* self) {
                       const GstCapsPtr caps(gst_pad_get_current_caps(at));
                       const std::lock_guard lock(self->mutex_);
                       const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
                       gst_structure_get_int(structure, "width", &self->width_);
                       gst_structure_get_int(structure, "height", &self->height_);
                     }),
                     this);
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          guint32 tick = 0;
          // Big endian, behind the first four bytes of the RTP header (RFC 3550, 5.1).
          guint8 bytes[4];
          if (gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 4, bytes, 4) == 4) {
            tick = GST_READ_UINT32_BE(bytes);
          }
          auto* self = static_cast<Viewer*>(data);
          const std::lock_guard lock(self->mutex_);
          if (std::find(self->ticks_.begin(), self->ticks_.end(), tick) == self->ticks_.end()) {
            self->ticks_.push_back(tick);
          }
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
    pair_.add(Side::kOfferer, bin);
    gst_element_sync_state_with_parent(bin);
    const GstPtr<GstPad> sink(gst_element_get_static_pad(bin, "sink"));
    gst_pad_link(pad, sink.get());
  }

  PeerPair& pair_;
  const char* codec_;
  SignalConnection connection_;
  mutable std::mutex mutex_;
  std::vector<guint32> ticks_;
  int width_ = 0;
  int height_ = 0;
};

class VideoTrackTest : public ::testing::Test {
 protected:
  void connect(const char* codec, int payload_type) {
    viewer_ = std::make_unique<Viewer>(pair_, codec, payload_type);
    std::string problem;
    track_ = VideoTrack::create(pair_.answerer(), {{payload_type, codec}}, {}, problem);
    ASSERT_TRUE(track_) << problem;
    channel_ = pair_.connect();
  }
  void TearDown() override {
    if (track_) track_->stop();
    pair_.stop(Side::kAnswerer);
    pair_.stop(Side::kOfferer);
    track_.reset();
    viewer_.reset();
  }

  PeerPair pair_;
  PeerPair::Channel channel_;
  std::unique_ptr<Viewer> viewer_;
  std::unique_ptr<VideoTrack> track_;
};

TEST_F(VideoTrackTest, BringsEveryFrameWithItsTimestamp) {
  connect("VP8", 97);
  const GstCapsPtr caps = raw_caps(64, 48);
  constexpr int kFrames = 30;
  for (int i = 0; i < kFrames; ++i) track_->push(frame(i).get(), caps.get());
  ASSERT_TRUE(viewer_->wait_frames(kFrames));
  const std::vector<guint32> ticks = viewer_->frames();
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    EXPECT_NEAR(ticks[i] - ticks[0], i * 90000.0 / 25, 90) << "clients pair frames by this";
  }
  EXPECT_TRUE(eventually([&] { return viewer_->width() == 64; }, kDeadline));
}

TEST_F(VideoTrackTest, SpeaksH264ToWhoTakesOnlyThat) {
  connect("H264", 102);
  const GstCapsPtr caps = raw_caps(64, 48);
  for (int i = 0; i < 10; ++i) track_->push(frame(i).get(), caps.get());
  EXPECT_TRUE(viewer_->wait_frames(10));
}

// H.264 has even sizes only, VP8 has all.
TEST_F(VideoTrackTest, TakesOddSizesAsH264) {
  connect("H264", 102);
  std::size_t sent = 0;
  for (const auto& [width, height, shown] :
       std::initializer_list<std::tuple<int, int, std::pair<int, int>>>{{65, 49, {64, 48}},
                                                                        {64, 48, {64, 48}},
                                                                        {97, 64, {96, 64}},
                                                                        {96, 81, {96, 80}},
                                                                        {3, 129, {2, 128}}}) {
    const GstCapsPtr caps = raw_caps(width, height);
    for (int i = 0; i < 3; ++i) {
      track_->push(frame(static_cast<int>(sent++), width, height).get(), caps.get());
    }
    ASSERT_TRUE(viewer_->wait_frames(sent)) << width << "x" << height;
    EXPECT_TRUE(eventually([&] { return viewer_->size() == shown; }, kDeadline))
        << width << "x" << height << " came as " << viewer_->size().first << "x"
        << viewer_->size().second;
  }
}

TEST_F(VideoTrackTest, TakesOddSizesAsVp8) {
  connect("VP8", 97);
  const GstCapsPtr caps = raw_caps(65, 49);
  for (int i = 0; i < 3; ++i) track_->push(frame(i, 65, 49).get(), caps.get());
  ASSERT_TRUE(viewer_->wait_frames(3));
  EXPECT_TRUE(eventually([&] { return viewer_->size() == std::pair(65, 49); }, kDeadline));
}

TEST_F(VideoTrackTest, FollowsAChangeOfSize) {
  connect("VP8", 97);
  const GstCapsPtr small = raw_caps(64, 48);
  const GstCapsPtr large = raw_caps(128, 96);
  for (int i = 0; i < 5; ++i) track_->push(frame(i).get(), small.get());
  for (int i = 5; i < 10; ++i) track_->push(frame(i, 128, 96).get(), large.get());
  ASSERT_TRUE(viewer_->wait_frames(10));
  EXPECT_TRUE(eventually([&] { return viewer_->width() == 128; }, kDeadline));
}

TEST_F(VideoTrackTest, LeavesFramesOutWhileItIsOff) {
  connect("VP8", 97);
  const GstCapsPtr caps = raw_caps(64, 48);
  track_->push(frame(0).get(), caps.get());
  track_->set_enabled(false);
  for (int i = 1; i < 5; ++i) track_->push(frame(i).get(), caps.get());
  track_->set_enabled(true);
  track_->push(frame(5).get(), caps.get());
  ASSERT_TRUE(viewer_->wait_frames(2));
  const std::vector<guint32> ticks = viewer_->frames();
  ASSERT_EQ(ticks.size(), 2U);
  EXPECT_NEAR(ticks[1] - ticks[0], 5 * 90000.0 / 25, 90);
}

// A track that was never negotiated takes nothing.
class Unconnected : public ::testing::Test {
 protected:
  Unconnected() {
    std::string problem;
    track_ = VideoTrack::create(pair_.answerer(), {{97, "VP8"}}, {}, problem);
    EXPECT_TRUE(track_) << problem;
  }
  PeerPair pair_;
  std::unique_ptr<VideoTrack> track_;
};

TEST_F(Unconnected, HoldsTheAnalysisUpOnlyUntilItIsStopped) {
  const GstCapsPtr caps = raw_caps(64, 48);
  auto pushing = std::async(std::launch::async, [&] {
    for (int i = 0; i < 100; ++i) track_->push(frame(i).get(), caps.get());
  });
  track_->stop();
  EXPECT_EQ(pushing.wait_for(kDeadline), std::future_status::ready);
}

TEST_F(Unconnected, HoldsTheAnalysisUpOnlyOnce) {
  const GstCapsPtr caps = raw_caps(64, 48);
  auto pushing = std::async(std::launch::async, [&] {
    // Waiting for each would take hours.
    for (int i = 0; i < 10'000; ++i) track_->push(frame(i).get(), caps.get());
  });
  EXPECT_EQ(pushing.wait_for(kDeadline), std::future_status::ready);
}

TEST(VideoTrack, IsNoneForAClientThatTakesNoFormatOfOurs) {
  PeerPair pair;
  std::string problem;
  EXPECT_FALSE(VideoTrack::create(pair.answerer(), {{98, "VP9"}}, {}, problem));
  EXPECT_EQ(problem, "the client takes neither VP8 nor H.264");
}

}  // namespace
}  // namespace webrtcupload
