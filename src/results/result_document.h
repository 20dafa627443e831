// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JSON text of a result, field for field what the clients read (docs/protocol.md describes it).
// Written straight into a string: one is made for every frame of a video.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/detections.h"

namespace webrtcupload {

struct VideoMetadata {
  using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

  std::uint32_t frame_id = 0;  // From 1.
  Time received_at;
  // In units of 1/90000 s. None if nobody says when the frame is shown.
  std::optional<std::int64_t> pts;
  std::optional<double> declared_fps;
  std::optional<double> measured_fps;
  // Of the frame; none for what is no video.
  std::optional<int> width;
  std::optional<int> height;
  // How wide a pixel is when it is one high; none if it is square.
  std::optional<double> pixel_aspect_ratio;
};

// The last of those.
[[nodiscard]] std::optional<double> pixel_aspect_ratio_of(const GstVideoInfo& info);

// What a result says about its frame, each under its name. Views: valid while the text is made.
struct ResultOutputs {
  struct Detections {
    std::string_view name;
    std::span<const Detection> items;
  };
  struct Image {
    std::string_view name;
    std::span<const std::uint8_t> jpeg;
  };
  struct Value {
    std::string_view name;
    std::string_view json;  // Valid JSON: it goes into the text as it is.
  };
  std::optional<Detections> detections;
  std::optional<Image> image;
  std::optional<Value> value;
};

// Makes the texts of one session's results: a class keeps its class_id throughout, and no
// detection_id comes twice. For one thread at a time.
class ResultDocument {
 public:
  // Above so many different classes, all further ones share one class_id: what analysers read out
  // of a stranger's picture must not fill our memory.
  static constexpr std::size_t kMaxClasses = 4096;

  ResultDocument();

  // `outputs` may be null: metadata only.
  [[nodiscard]] std::string result(const VideoMetadata& metadata, const ResultOutputs* outputs,
                                   std::span<const std::string> errors);

 private:
  void append_detections(std::string& out, const VideoMetadata& metadata,
                         std::span<const Detection> detections);
  // RFC 4122, version 4.
  using Uuid = std::array<std::uint64_t, 2>;
  Uuid make_uuid();
  static void append_uuid(std::string& out, const Uuid& uuid);
  void append_prediction(std::string& out, const Detection& detection, const Box& box,
                         std::span<const Uuid> ids, std::size_t index);
  std::size_t class_id(const std::string& label);

  std::map<std::string, std::size_t, std::less<>> class_ids_;
  std::mt19937_64 random_;
};

// The last message of a session. `termination_reason` empty = null; `sha256`, of the uploaded file,
// empty = it is not there.
[[nodiscard]] std::string completion_document(std::string_view termination_reason,
                                              std::span<const std::string> errors,
                                              std::string_view sha256 = {});

// The shortest text that reads as `value`; 0 for what JSON has no word for.
void append_json_number(std::string& out, double value);
// The corners of an object that does not stand upright, [{"x": ..., "y": ...}, ...].
void append_json_points(std::string& out, std::span<const Point> points);
// `text` as a JSON string, quotes included. What is not UTF-8 is replaced.
void append_json_string(std::string& out, std::string_view text);

}  // namespace webrtcupload
