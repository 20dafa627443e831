// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes the text of each result: its metadata, which go on from frame to frame, the image if one is
// wanted, and the JSON around all of it.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "glib/stream_time.h"
#include "results/detections.h"
#include "results/jpeg_encoder.h"
#include "results/result_document.h"

namespace webrtcupload {

// For the streaming thread alone.
class ResultMaker {
 public:
  // The outputs' names: "*" is all but images.
  using Names = std::vector<std::string>;

  ResultMaker(std::string output_name, std::optional<double> declared_fps, int jpeg_quality,
              bool pts_from_first)
      : output_name_(std::move(output_name)),
        declared_fps_(declared_fps),
        jpeg_quality_(jpeg_quality),
        pts_from_first_(pts_from_first) {}

  // When a frame arrives, whether it will have a result or not; all but its number and size.
  [[nodiscard]] VideoMetadata arrived(StreamTime time);
  // Maps `frame` only if `wanted` has an image.
  [[nodiscard]] std::string of_frame(VideoMetadata metadata, GstBuffer* frame,
                                     const GstVideoInfo& info,
                                     const std::vector<Detection>& detections, const Names& wanted);
  // `json` is valid.
  [[nodiscard]] std::string of_value(const VideoMetadata& metadata, std::string_view name,
                                     std::string_view json, const Names& wanted);

 private:
  [[nodiscard]] GstBufferPtr encode_image(GstBuffer* frame, const GstVideoInfo& info);

  const std::string output_name_;
  const std::optional<double> declared_fps_;
  const int jpeg_quality_;
  const bool pts_from_first_;
  ResultDocument document_;
  StreamTime first_;
  std::deque<std::chrono::steady_clock::time_point> recent_;
  std::unique_ptr<JpegEncoder> jpeg_;
  std::string image_problem_;
  // For the next result.
  std::vector<std::string> errors_;
};

}  // namespace webrtcupload
