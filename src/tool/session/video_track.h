// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The analysed frames on their way back to the client: encoded, and sent as a track of the same
// connection.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/mutex.h"
#include "glib/glib_ptr.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {

class VideoTrack {
 public:
  struct Options {
    // "VP8" or "H264"; the other one if the client takes only that.
    std::string codec = "VP8";
    // Whether frames may be left out when the encoder is slower than the analysis. Otherwise the
    // analysis waits.
    bool realtime = false;
  };

  // Adds a track to `webrtcbin`, which has to be in a pipeline and not negotiated yet. Null, with
  // `problem` set, if the client takes no format that can be made here.
  static std::unique_ptr<VideoTrack> create(GstElement* webrtcbin,
                                            const std::vector<VideoFormat>& formats,
                                            const Options& options, std::string& problem);
  ~VideoTrack();
  VideoTrack(const VideoTrack&) = delete;
  VideoTrack& operator=(const VideoTrack&) = delete;

  // The answer that webrtcbin made, with what a browser needs to make a MediaStream of the track.
  [[nodiscard]] static std::string announce(std::string answer_sdp);

  // A raw frame, on the analysis' streaming thread; may wait for the encoder. Its timestamp counts
  // from the first one's.
  void push(GstBuffer* frame, GstCaps* caps);
  // Frames are passed over while it is false. Any thread.
  void set_enabled(bool enabled) { enabled_ = enabled; }
  // push() waits no longer, and does nothing. Any thread.
  void stop();

 private:
  // Between the analysis, which brings frames, and the encoder, which takes them.
  struct Queue {
    Mutex mutex;  // A leaf.
    ConditionVariable changed;
    unsigned waiting GUARDED_BY(mutex) = 0;
    bool stopped GUARDED_BY(mutex) = false;
  };

  VideoTrack(GstPtr<GstElement> source, bool realtime);
  // Makes room for a frame and counts it, or says that it is to be left out.
  [[nodiscard]] bool take_place();

  const GstPtr<GstElement> source_;
  const bool realtime_;
  std::atomic<bool> enabled_ = true;

  // Only on the streaming thread.
  GstCapsPtr caps_;
  std::optional<GstClockTime> first_pts_;
  GstClockTime base_ = 0;
  bool stuck_ = false;

  // Shared with a probe, which may outlive this.
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

}  // namespace webrtcupload
