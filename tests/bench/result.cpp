// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a result costs: the processor time that a streaming thread spends in webrtcresultsink for
// each frame of 1920 by 1080 pixels, without images, next to what it spends in fakesink. The
// results really go to a peer, over a connection on this machine; "all threads" is everything until
// it has them: SCTP, DTLS, ICE, and the receiving peer itself, which is in the same process.
//
//   ./dev bench result

#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {
namespace {

constexpr int kFrames = 500;
constexpr int kRounds = 5;

double seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Feeds a sink, as the element before it would.
class Feed {
 public:
  explicit Feed(GstElement* sink) : pad_(gst_pad_new("src", GST_PAD_SRC)) {
    gst_object_ref_sink(pad_.get());
    const GstPtr<GstPad> target(gst_element_get_static_pad(sink, "sink"));
    gst_pad_set_active(pad_.get(), TRUE);
    if (gst_pad_link_full(pad_.get(), target.get(), GST_PAD_LINK_CHECK_NOTHING) !=
        GST_PAD_LINK_OK) {
      std::fprintf(stderr, "cannot link\n");
    }
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 1920, 1080);
    frame_.reset(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
    const GstCapsPtr caps(gst_video_info_to_caps(&info));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad_.get(), gst_event_new_stream_start("bench"));
    gst_pad_push_event(pad_.get(), gst_event_new_caps(caps.get()));
    gst_pad_push_event(pad_.get(), gst_event_new_segment(&segment));
  }

  // Calls `arrived` until that is true, and then gives the microseconds for each frame.
  struct Cost {
    double thread = 0;
    double process = 0;
  };
  Cost push(int regions, const std::function<bool()>& arrived) {
    std::vector<GstBuffer*> frames;
    for (int i = 0; i < kFrames; ++i) {
      // Shares the pixels.
      GstBuffer* frame = gst_buffer_copy(frame_.get());
      GST_BUFFER_PTS(frame) = number_++ * 40 * GST_MSECOND;
      for (int region = 0; region < regions; ++region) {
        gst_buffer_add_video_region_of_interest_meta(frame, "person", 10U * region, 20, 30, 40);
      }
      frames.push_back(frame);
    }
    const double process = seconds(CLOCK_PROCESS_CPUTIME_ID);
    const double thread = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (GstBuffer* frame : frames) gst_pad_push(pad_.get(), frame);
    Cost cost;
    cost.thread = 1e6 * (seconds(CLOCK_THREAD_CPUTIME_ID) - thread) / kFrames;
    if (!eventually(arrived, kDeadline)) std::fprintf(stderr, "results are missing\n");
    cost.process = 1e6 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - process) / kFrames;
    return cost;
  }

 private:
  GstPtr<GstPad> pad_;
  GstBufferPtr frame_;
  guint64 number_ = 0;
};

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<long>(values.size() / 2));
  return values[values.size() / 2];
}

int run() {
  PeerPair::Options options;
  options.observe_incoming = false;
  PeerPair peers(options);
  GstElement* sink = gst_element_factory_make("webrtcresultsink", nullptr);
  if (!sink) {
    std::fprintf(stderr, "there is no webrtcresultsink\n");
    return 1;
  }
  g_object_set(sink, "webrtcbin-name", "pc", "buffer-limit", guint64{64} << 20, nullptr);
  peers.add(PeerPair::Side::kAnswerer, sink);
  GstElement* baseline = gst_element_factory_make("fakesink", nullptr);
  g_object_set(baseline, "sync", FALSE, "async", FALSE, nullptr);
  peers.add(PeerPair::Side::kAnswerer, baseline);
  auto [channel, observer] = peers.connect("inference");
  if (!channel) return 1;
  std::atomic<int> received = 0;
  observer->set_on_message([&](std::span<const std::uint8_t>) { ++received; });

  Feed results(sink);
  Feed nothing(baseline);
  std::printf("median of %d rounds of %d frames, 1920x1080, no images; microseconds a frame\n\n",
              kRounds, kFrames);
  std::printf("%10s  %10s  %16s  %12s\n", "detections", "fakesink", "webrtcresultsink",
              "all threads");
  for (const int regions : {0, 1, 10, 100}) {
    std::vector<double> without;
    std::vector<double> with;
    std::vector<double> all;
    for (int round = 0; round < kRounds; ++round) {
      without.push_back(nothing.push(regions, [] { return true; }).thread);
      received = 0;
      const auto cost = results.push(regions, [&] { return received >= kFrames; });
      with.push_back(cost.thread);
      all.push_back(cost.process);
    }
    std::printf("%10d  %10.2f  %16.2f  %12.2f\n", regions, median(without), median(with),
                median(all));
  }
  return 0;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return webrtcupload::test::run();
}
