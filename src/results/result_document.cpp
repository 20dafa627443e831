// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/result_document.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>

namespace webrtcupload {
namespace {

constexpr double kTimeBase = 1.0 / 90000;
// What a detection takes, but for its text.
constexpr std::size_t kBytesPerDetection = 256;

template <typename Number>
void append_number(std::string& out, Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) value = 0;
  }
  std::array<char, 32> digits{};
  const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

template <typename Number>
void append_optional(std::string& out, const std::optional<Number>& value) {
  if (value) {
    append_number(out, *value);
  } else {
    out += "null";
  }
}

void append_base64(std::string& out, std::span<const std::uint8_t> bytes) {
  const std::size_t begin = out.size();
  // What GLib asks for, its line breaks left out.
  out.resize(begin + (bytes.size() / 3 + 1) * 4 + 4);
  gint state = 0;
  gint save = 0;
  gsize length =
      g_base64_encode_step(bytes.data(), bytes.size(), FALSE, out.data() + begin, &state, &save);
  length += g_base64_encode_close(FALSE, out.data() + begin + length, &state, &save);
  out.resize(begin + length);
}

// "2026-08-01T12:00:00.123456+00:00". Always with six digits and never with a Z, which is what all
// of Python's fromisoformat() from 3.7 on and JavaScript's Date read alike.
void append_time(std::string& out, VideoMetadata::Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t unix_time = std::chrono::system_clock::to_time_t(seconds);
  std::tm utc{};
  gmtime_r(&unix_time, &utc);
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "\"%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00\"",
                    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                    utc.tm_sec, static_cast<int>((time - seconds).count()));
  out.append(text.data(), static_cast<std::size_t>(length));
}

void append_metadata(std::string& out, const VideoMetadata& metadata) {
  out += "{\"frame_id\":";
  append_number(out, metadata.frame_id);
  out += ",\"received_at\":";
  append_time(out, metadata.received_at);
  out += ",\"pts\":";
  append_optional(out, metadata.pts);
  out += ",\"time_base\":";
  append_number(out, kTimeBase);
  out += ",\"declared_fps\":";
  append_optional(out, metadata.declared_fps);
  out += ",\"measured_fps\":";
  append_optional(out, metadata.measured_fps ? std::optional(to_thousandths(*metadata.measured_fps))
                                             : std::nullopt);
  out += ",\"width\":";
  append_optional(out, metadata.width);
  out += ",\"height\":";
  append_optional(out, metadata.height);
  if (metadata.pixel_aspect_ratio) {
    out += ",\"pixel_aspect_ratio\":";
    append_number(out, *metadata.pixel_aspect_ratio);
  }
  out += '}';
}

void append_errors(std::string& out, std::span<const std::string> errors) {
  out += '[';
  bool first = true;
  for (const std::string& error : errors) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, error);
  }
  out += ']';
}

}  // namespace

std::optional<double> pixel_aspect_ratio_of(const GstVideoInfo& info) {
  const int across = GST_VIDEO_INFO_PAR_N(&info);
  const int down = GST_VIDEO_INFO_PAR_D(&info);
  if (across <= 0 || down <= 0 || across == down) return std::nullopt;
  return static_cast<double>(across) / down;
}

void append_json_number(std::string& out, double value) { append_number(out, value); }

void append_json_points(std::string& out, std::span<const Point> points) {
  out += '[';
  for (const Point& point : points) {
    if (out.back() != '[') out += ',';
    out += "{\"x\":";
    append_number(out, point.x);
    out += ",\"y\":";
    append_number(out, point.y);
    out += '}';
  }
  out += ']';
}

void append_json_string(std::string& out, std::string_view text) {
  std::unique_ptr<char, decltype(&g_free)> repaired(nullptr, &g_free);
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    repaired.reset(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
    text = repaired.get();
  }
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escaped.data();
    } else {
      out += c;
    }
  }
  out += '"';
}

ResultDocument::ResultDocument() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(),
                     device(), device(), device(), device()};
  random_.seed(seed);
}

std::string ResultDocument::result(const VideoMetadata& metadata, const ResultOutputs* outputs,
                                   std::span<const std::string> errors) {
  std::string out;
  std::size_t expected = 512;
  if (outputs) {
    if (outputs->detections) expected += outputs->detections->items.size() * kBytesPerDetection;
    if (outputs->image) expected += outputs->image->jpeg.size() / 3 * 4 + 512;
    if (outputs->value) expected += outputs->value->json.size();
  }
  out.reserve(expected);

  out += "{\"serialized_output_data\":";
  if (!outputs) {
    out += "null";
  } else {
    out += '{';
    bool first = true;
    const auto begin = [&](std::string_view name) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, name);
      out += ':';
    };
    if (outputs->detections) {
      begin(outputs->detections->name);
      append_detections(out, metadata, outputs->detections->items);
    }
    if (outputs->value) {
      begin(outputs->value->name);
      out += outputs->value->json;
    }
    if (outputs->image) {
      begin(outputs->image->name);
      out += "{\"type\":\"base64\",\"value\":\"";
      append_base64(out, outputs->image->jpeg);
      out += "\",\"video_metadata\":";
      append_metadata(out, metadata);
      out += '}';
    }
    out += '}';
  }
  out += ",\"video_metadata\":";
  append_metadata(out, metadata);
  out += ",\"errors\":";
  append_errors(out, errors);
  out += ",\"processing_complete\":false,\"termination_reason\":null}";
  return out;
}

void ResultDocument::append_detections(std::string& out, const VideoMetadata& metadata,
                                       std::span<const Detection> detections) {
  const double width = metadata.width.value_or(0);
  const double height = metadata.height.value_or(0);
  // An analyser that does not say where it found something has found it in the frame.
  const Box whole{width / 2, height / 2, width, height};

  out += "{\"image\":{\"width\":";
  append_optional(out, metadata.width);
  out += ",\"height\":";
  append_optional(out, metadata.height);
  out += "},\"predictions\":[";
  std::vector<Uuid> ids(detections.size());
  std::ranges::generate(ids, [this] { return make_uuid(); });
  for (std::size_t i = 0; i < detections.size(); ++i) {
    if (i > 0) out += ',';
    const Box& box = detections[i].box ? *detections[i].box : whole;
    append_prediction(out, detections[i], box, ids, i);
  }
  out += "]}";
}

void ResultDocument::append_prediction(std::string& out, const Detection& detection, const Box& box,
                                       std::span<const Uuid> ids, std::size_t index) {
  out += "{\"x\":";
  append_number(out, box.x);
  out += ",\"y\":";
  append_number(out, box.y);
  out += ",\"width\":";
  append_number(out, box.width);
  out += ",\"height\":";
  append_number(out, box.height);
  out += ",\"confidence\":";
  append_number(out, detection.confidence.value_or(1));
  out += ",\"class_id\":";
  append_number(out, class_id(detection.label));
  out += ",\"class\":";
  append_json_string(out, detection.label);
  out += ",\"detection_id\":";
  append_uuid(out, ids[index]);
  if (detection.parent && *detection.parent < ids.size()) {
    out += ",\"parent_id\":";
    append_uuid(out, ids[*detection.parent]);
  }
  if (detection.tracker_id) {
    out += ",\"tracker_id\":";
    append_number(out, *detection.tracker_id);
  }
  if (detection.orientation) {
    out += ",\"angle\":";
    append_number(out, detection.orientation->angle);
    out += ",\"points\":";
    append_json_points(out, detection.orientation->corners);
  }
  if (!detection.classifications.empty()) {
    out += ",\"classifications\":[";
    for (const Classification& classification : detection.classifications) {
      if (out.back() != '[') out += ',';
      out += "{\"class\":";
      append_json_string(out, classification.label);
      out += ",\"class_id\":";
      append_number(out, class_id(classification.label));
      out += ",\"confidence\":";
      append_number(out, classification.confidence.value_or(1));
      out += '}';
    }
    out += ']';
  }
  if (!detection.text.empty()) {
    out += ",\"text\":";
    append_json_string(out, detection.text);
  }
  out += '}';
}

ResultDocument::Uuid ResultDocument::make_uuid() {
  return {(random_() & ~std::uint64_t{0xf000}) | std::uint64_t{0x4000},
          (random_() & (~std::uint64_t{0} >> 2)) | (std::uint64_t{1} << 63)};
}

void ResultDocument::append_uuid(std::string& out, const Uuid& uuid) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += kDigits[uuid[i / 16] >> (60 - 4 * (i % 16)) & 0xf];
  }
  out += '"';
}

std::size_t ResultDocument::class_id(const std::string& label) {
  if (const auto known = class_ids_.find(label); known != class_ids_.end()) return known->second;
  const std::size_t id = class_ids_.size();
  if (id < kMaxClasses) class_ids_.emplace(label, id);
  return id;
}

std::string completion_document(std::string_view termination_reason,
                                std::span<const std::string> errors, std::string_view sha256) {
  std::string out = "{\"serialized_output_data\":null,\"video_metadata\":null,\"errors\":";
  append_errors(out, errors);
  out += ",\"processing_complete\":true,\"termination_reason\":";
  if (termination_reason.empty()) {
    out += "null";
  } else {
    append_json_string(out, termination_reason);
  }
  if (!sha256.empty()) {
    out += ",\"sha256\":";
    append_json_string(out, sha256);
  }
  out += '}';
  return out;
}

}  // namespace webrtcupload
