// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/analytics.h"

#if HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <utility>

#include "results/values.h"

// Of 1.26; null where there are no oriented boxes, which is found out at run time.
extern "C" gboolean gst_analytics_od_mtd_get_oriented_location(const GstAnalyticsODMtd*, gint*,
                                                               gint*, gint*, gint*, gfloat*,
                                                               gfloat*) __attribute__((weak));
#endif

namespace webrtcupload {

#if HAVE_GST_ANALYTICS
namespace {

struct Limits {
  std::size_t detections;
  std::size_t text;
};

// The corners of a box that is turned clockwise by `angle`, in radians, about its centre, and the
// upright box around them.
void turn(Detection& detection, double angle) {
  const Box box = *detection.box;
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  Box& around = *detection.box;
  around.width = std::abs(box.width * cosine) + std::abs(box.height * sine);
  around.height = std::abs(box.width * sine) + std::abs(box.height * cosine);
  // y points down, so this is clockwise to the eye.
  const auto corner = [&](double right, double down) {
    const double x = right * box.width / 2;
    const double y = down * box.height / 2;
    return Point{box.x + x * cosine - y * sine, box.y + x * sine + y * cosine};
  };
  detection.orientation = Orientation{angle * 180 / std::numbers::pi,
                                      {corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)}};
}

// The getters take no const pointers in 1.24.
std::optional<Detection> read_object(GstAnalyticsMtd& object, const Limits& limits) {
  gint left = 0;
  gint top = 0;
  gint width = 0;
  gint height = 0;
  gfloat angle = 0;
  gfloat confidence = -1;
  const bool found =
      gst_analytics_od_mtd_get_oriented_location
          ? gst_analytics_od_mtd_get_oriented_location(&object, &left, &top, &width, &height,
                                                       &angle, &confidence)
          : gst_analytics_od_mtd_get_location(&object, &left, &top, &width, &height, &confidence);
  if (!found || width <= 0 || height <= 0) return std::nullopt;
  Detection detection;
  detection.label = clean_label(gst_analytics_od_mtd_get_obj_type(&object), limits.text);
  detection.box = box_from_corner(left, top, width, height);
  detection.confidence = confidence_from(from_float(confidence));
  if (std::isfinite(angle) && angle != 0) turn(detection, angle);
  return detection;
}

// The class of a classification that is the likeliest, and behind it the others that are possible.
std::vector<Classification> read_classes(GstAnalyticsMtd& classification, const Limits& limits) {
  std::vector<std::pair<gfloat, GQuark>> classes;
  const gsize count = gst_analytics_cls_mtd_get_length(&classification);
  for (gsize i = 0; i < count; ++i) {
    const gfloat level = gst_analytics_cls_mtd_get_level(&classification, i);
    if (std::isnan(level)) continue;
    classes.emplace_back(level, gst_analytics_cls_mtd_get_quark(&classification, i));
  }
  const std::size_t kept = std::min(classes.size(), Detection::kMaxClassifications);
  std::ranges::partial_sort(classes, classes.begin() + static_cast<std::ptrdiff_t>(kept),
                            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Classification> result;
  for (std::size_t i = 0; i < kept && (i == 0 || classes[i].first > 0); ++i) {
    result.push_back(
        {clean_label(classes[i].second, std::min(limits.text, Detection::kMaxClassName)),
         confidence_from(from_float(classes[i].first))});
  }
  return result;
}

// One frame's graph while it is read.
class Graph {
 public:
  Graph(GstAnalyticsRelationMeta* meta, const Limits& limits, std::vector<Detection>& result,
        std::uint64_t& dropped)
      : meta_(meta), limits_(limits), result_(result), dropped_(dropped) {}

  void read() {
    each(gst_analytics_od_mtd_get_mtd_type(), [this](GstAnalyticsMtd& object) {
      if (auto detection = read_object(object, limits_)) append(object.id, std::move(*detection));
    });
    each(gst_analytics_tracking_mtd_get_mtd_type(), [this](GstAnalyticsMtd& track) {
      guint64 id = 0;
      if (!gst_analytics_tracking_mtd_get_info(&track, &id, nullptr, nullptr, nullptr)) return;
      for (Detection* object : objects_of(track)) object->tracker_id = id;
    });
    each(gst_analytics_cls_mtd_get_mtd_type(),
         [this](GstAnalyticsMtd& classification) { add_classes(classification); });
    each(gst_analytics_od_mtd_get_mtd_type(),
         [this](GstAnalyticsMtd& object) { find_parent(object); });
  }

 private:
  template <typename Visitor>
  void each(GstAnalyticsMtdType type, Visitor visit) {
    gpointer state = nullptr;
    GstAnalyticsMtd found;
    while (gst_analytics_relation_meta_iterate(meta_, &state, type, &found)) visit(found);
  }

  void append(guint id, Detection detection) {
    if (result_.size() >= limits_.detections) {
      ++dropped_;
      return;
    }
    places_[id] = result_.size();
    result_.push_back(std::move(detection));
  }

  [[nodiscard]] GstAnalyticsRelTypes relation(guint from, guint to) const {
    return gst_analytics_relation_meta_get_relation(meta_, from, to);
  }

  // The objects that something is related to: some analysers say it in one direction and some in
  // the other.
  std::vector<Detection*> objects_of(const GstAnalyticsMtd& other) {
    std::vector<Detection*> objects;
    for (const auto& [id, place] : places_) {
      if (relation(id, other.id) || relation(other.id, id)) objects.push_back(&result_[place]);
    }
    return objects;
  }

  void add_classes(GstAnalyticsMtd& classification) {
    std::vector<Classification> classes = read_classes(classification, limits_);
    if (classes.empty()) return;
    const std::vector<Detection*> objects = objects_of(classification);
    for (Detection* object : objects) {
      auto& all = object->classifications;
      const std::size_t room = Detection::kMaxClassifications - all.size();
      all.insert(all.end(), classes.begin(),
                 classes.begin() + static_cast<std::ptrdiff_t>(std::min(room, classes.size())));
    }
    if (!objects.empty()) return;
    Detection whole;
    whole.label = classes.front().label;
    whole.confidence = classes.front().confidence;
    if (classes.size() > 1) whole.classifications = std::move(classes);
    append(classification.id, std::move(whole));
  }

  void find_parent(const GstAnalyticsMtd& object) {
    const auto place = places_.find(object.id);
    if (place == places_.end()) return;
    for (const auto& [id, parent] : places_) {
      if (parent == place->second) continue;
      if ((relation(object.id, id) & GST_ANALYTICS_REL_TYPE_IS_PART_OF) ||
          (relation(id, object.id) & GST_ANALYTICS_REL_TYPE_CONTAIN)) {
        result_[place->second].parent = parent;
        return;
      }
    }
  }

  GstAnalyticsRelationMeta* meta_;
  const Limits limits_;
  std::vector<Detection>& result_;
  std::uint64_t& dropped_;
  // Where in `result_` the object with this number is.
  std::map<guint, std::size_t> places_;
};

}  // namespace

void append_analytics_detections(GstBuffer* frame, std::size_t max_detections, std::size_t max_text,
                                 std::vector<Detection>& result, std::uint64_t& dropped) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(frame);
  if (meta) Graph(meta, {max_detections, max_text}, result, dropped).read();
}

#else

void append_analytics_detections(GstBuffer*, std::size_t, std::size_t, std::vector<Detection>&,
                                 std::uint64_t&) {}

#endif

}  // namespace webrtcupload
