// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What GStreamer's analysers found in a frame, as plain values. Analysers speak in two ways: region
// of interest metas on the frame itself, and element messages on the bus that carry the frame's
// timestamp. Both end up here as one list.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/mutex.h"

namespace webrtcupload {

// Without the digits behind the third decimal, which in a number of pixels or frames are what
// computing left there: 288.00000000000006.
[[nodiscard]] double to_thousandths(double value);

// In pixels of the frame, to thousandths; (x, y) is the centre.
struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  bool operator==(const Box&) const = default;
};

struct Point {
  double x = 0;
  double y = 0;

  bool operator==(const Point&) const = default;
};

// Of an object that does not stand upright in the frame.
struct Orientation {
  double angle = 0;                // clockwise, in degrees
  std::array<Point, 4> corners{};  // clockwise, from what is the upper left one at 0 degrees

  bool operator==(const Orientation&) const = default;
};

// What a classifier says of what another analyser has found: "red" of a car.
struct Classification {
  std::string label;                 // valid UTF-8, never empty
  std::optional<double> confidence;  // 0..1

  bool operator==(const Classification&) const = default;
};

struct Detection {
  // Of one object; networks know a thousand classes.
  static constexpr std::size_t kMaxClassifications = 16;
  // Bytes of the name of one.
  static constexpr std::size_t kMaxClassName = 256;

  std::string label;                 // "person", "EAN-13", "motion", ...: valid UTF-8, never empty
  std::optional<Box> box;            // none if the analyser does not say where (zbar)
  std::optional<double> confidence;  // 0..1, if the analyser gives one (Haar cascades do not)
  std::string text;  // what was read (a barcode's content, motion cells): valid UTF-8, often empty
  std::optional<std::uint64_t> tracker_id;      // the same in all frames, if a tracker follows it
  std::optional<Orientation> orientation;       // `box` is then the upright box around it
  std::vector<Classification> classifications;  // likeliest first, for each classifier
  std::optional<std::size_t> parent;  // where in the frame's detections is what this is a part of

  bool operator==(const Detection&) const = default;
};

// Holds what messages say until the frame they speak of passes, and then gives it out once,
// together with what the frame's own metas say.
//
// Understood: `facedetect`, `barcode` (zbar) and `motion` (motioncells) messages, every
// GstVideoRegionOfInterestMeta and GstAnalyticsRelationMeta. `facedetect` speaks in both ways at
// once and calls everything a face, whatever its cascade finds: metas and messages are joined, and
// the label comes from the file name of the cascade ("haarcascade_fullbody.xml" is "person").
//
// One collector serves one video stream. Thread safe: add_message() belongs into a bus sync handler
// ("sync-message" or gst_bus_set_sync_handler), which runs on the streaming thread. Analysers post
// before they push the frame, so there, and only there, it is certain that a message is here before
// its frame is. A bus watch may see it too late.
class DetectionCollector {
 public:
  struct Limits {
    // Waiting for their frame, over all frames: frames that never come (dropped, retimed) must not
    // cost memory. The oldest go first.
    std::size_t max_pending = 4096;
    // Given out for one frame, and as many classifications; what is beyond is dropped.
    std::size_t max_per_frame = 1024;
    // Bytes of Detection::text and label; longer ones are cut between characters.
    std::size_t max_text = 4096;
  };

  // Two, as a nested class' member initialisers cannot serve as a default argument.
  DetectionCollector() : DetectionCollector(Limits{}) {}
  explicit DetectionCollector(const Limits& limits) : limits_(limits) {}
  DetectionCollector(const DetectionCollector&) = delete;
  DetectionCollector& operator=(const DetectionCollector&) = delete;

  // Whether `message` came from an analyser and spoke of a frame (possibly to say that nothing is
  // in it). Anything else is left alone, odd fields within such a message are skipped.
  bool add_message(GstMessage* message);

  // Everything about `frame`. `info` (may be null) gives the frame's size, without which motion
  // cells get no box.
  [[nodiscard]] std::vector<Detection> take(GstBuffer* frame, const GstVideoInfo* info);

  // Forgets everything: for flushes and new segments, where timestamps may repeat.
  void clear();

  // How many were lost to the limits so far.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Pending {
    GstClockTime pts;
    Detection detection;
    bool has_meta;  // facedetect: there should be a meta labelled "face" for it as well
    bool relative;  // the box is in fractions of the frame
  };

  void keep(Pending pending);
  std::vector<Pending> extract(GstClockTime pts);
  static void read_faces(const GstStructure& structure, GstClockTime pts, const std::string& label,
                         std::vector<Pending>& out);

  const Limits limits_;
  mutable Mutex mutex_;                             // A leaf: nothing is called under it.
  std::deque<Pending> pending_ GUARDED_BY(mutex_);  // by arrival
  std::uint64_t dropped_ GUARDED_BY(mutex_) = 0;
};

// The label for what a cascade file finds: "haarcascade_fullbody.xml" -> "person",
// "haarcascade_frontalface_alt.xml" -> "face", others by their name without "haarcascade_" and
// suffix. Empty if `path` is.
[[nodiscard]] std::string label_of_cascade(const std::string& path);

}  // namespace webrtcupload
