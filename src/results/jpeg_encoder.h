// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Still images of raw video frames, made on the thread that asks: GStreamer's jpegenc between two
// pads of our own, so that there is no pipeline, no queue and nothing to wait for.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <memory>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// For one thread at a time.
class JpegEncoder {
 public:
  // Null, with the reason in `problem`, if an element is missing.
  [[nodiscard]] static std::unique_ptr<JpegEncoder> create(int quality, std::string& problem);
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  // Null, with the reason in `problem`, if the frame could not be encoded.
  [[nodiscard]] GstBufferPtr encode(GstBuffer* frame, const GstVideoInfo& info,
                                    std::string& problem);

 private:
  JpegEncoder() = default;

  GstPtr<GstElement> bin_;
  GstPtr<GstPad> source_;
  GstPtr<GstPad> sink_;
  GstVideoInfo info_{};
  bool started_ = false;
};

}  // namespace webrtcupload
