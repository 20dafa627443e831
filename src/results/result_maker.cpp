// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/result_maker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace webrtcupload {
namespace {

constexpr const char* kImageOutput = "image";
// Over how many results their rate is measured.
constexpr std::size_t kRateWindow = 30;

bool wants(const ResultMaker::Names& wanted, std::string_view output) {
  return std::ranges::any_of(
      wanted, [&](const std::string& name) { return name == "*" || name == output; });
}

// Of 1/90000 s.
std::int64_t to_ticks(std::int64_t nanoseconds) {
  const auto ticks = static_cast<std::int64_t>(
      gst_util_uint64_scale_round(static_cast<guint64>(std::abs(nanoseconds)), 90000, GST_SECOND));
  return nanoseconds < 0 ? -ticks : ticks;
}

}  // namespace

VideoMetadata ResultMaker::arrived(StreamTime time) {
  VideoMetadata metadata;
  metadata.received_at =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  if (time) {
    if (!first_) first_ = time;
    metadata.pts = to_ticks(pts_from_first_ ? *time - *first_ : *time);
  }
  metadata.declared_fps = declared_fps_;
  const auto now = std::chrono::steady_clock::now();
  recent_.push_back(now);
  if (recent_.size() > kRateWindow) recent_.pop_front();
  const double elapsed = std::chrono::duration<double>(now - recent_.front()).count();
  if (recent_.size() > 1 && elapsed > 0) {
    metadata.measured_fps = static_cast<double>(recent_.size() - 1) / elapsed;
  }
  return metadata;
}

std::string ResultMaker::of_frame(VideoMetadata metadata, GstBuffer* frame,
                                  const GstVideoInfo& info,
                                  const std::vector<Detection>& detections, const Names& wanted) {
  metadata.width = GST_VIDEO_INFO_WIDTH(&info);
  metadata.height = GST_VIDEO_INFO_HEIGHT(&info);
  metadata.pixel_aspect_ratio = pixel_aspect_ratio_of(info);
  if (!metadata.declared_fps && GST_VIDEO_INFO_FPS_N(&info) > 0 &&
      GST_VIDEO_INFO_FPS_D(&info) > 0) {
    metadata.declared_fps =
        static_cast<double>(GST_VIDEO_INFO_FPS_N(&info)) / GST_VIDEO_INFO_FPS_D(&info);
  }
  ResultOutputs outputs;
  if (wants(wanted, output_name_)) {
    outputs.detections = ResultOutputs::Detections{output_name_, detections};
  }
  GstBufferPtr image;
  GstMapInfo map{};
  if (std::ranges::find(wanted, kImageOutput) != wanted.end()) image = encode_image(frame, info);
  if (image && gst_buffer_map(image.get(), &map, GST_MAP_READ)) {
    outputs.image = ResultOutputs::Image{kImageOutput, {map.data, map.size}};
  }
  std::string text =
      document_.result(metadata, wanted.empty() ? nullptr : &outputs, std::exchange(errors_, {}));
  if (map.memory) gst_buffer_unmap(image.get(), &map);
  return text;
}

std::string ResultMaker::of_value(const VideoMetadata& metadata, std::string_view name,
                                  std::string_view json, const Names& wanted) {
  ResultOutputs outputs;
  if (wants(wanted, name)) outputs.value = ResultOutputs::Value{name, json};
  return document_.result(metadata, wanted.empty() ? nullptr : &outputs,
                          std::exchange(errors_, {}));
}

GstBufferPtr ResultMaker::encode_image(GstBuffer* frame, const GstVideoInfo& info) {
  std::string problem;
  GstBufferPtr image;
  if (!jpeg_) jpeg_ = JpegEncoder::create(jpeg_quality_, problem);
  if (jpeg_) image = jpeg_->encode(frame, info, problem);
  // One that has failed may have lost what it needs to know of the next frame.
  if (!image) jpeg_.reset();
  // Once, and not in every result.
  if (!image && image_problem_ != problem) {
    errors_.push_back("no image: " + problem);
    image_problem_ = problem;
  }
  return image;
}

}  // namespace webrtcupload
