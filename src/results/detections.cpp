// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/detections.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "results/analytics.h"
#include "results/values.h"

namespace webrtcupload {
namespace {

// Any finite number, whatever its type: analysers disagree about signedness, and some use floating
// point.
std::optional<double> number(const GstStructure& structure, const char* field) {
  const GValue* value = gst_structure_get_value(&structure, field);
  if (value == nullptr) {
    return std::nullopt;
  }
  double result = 0;
  if (G_VALUE_HOLDS_INT(value)) {
    result = g_value_get_int(value);
  } else if (G_VALUE_HOLDS_UINT(value)) {
    result = g_value_get_uint(value);
  } else if (G_VALUE_HOLDS_INT64(value)) {
    result = static_cast<double>(g_value_get_int64(value));
  } else if (G_VALUE_HOLDS_UINT64(value)) {
    result = static_cast<double>(g_value_get_uint64(value));
  } else if (G_VALUE_HOLDS_DOUBLE(value)) {
    result = g_value_get_double(value);
  } else if (G_VALUE_HOLDS_FLOAT(value)) {
    result = from_float(g_value_get_float(value));
  } else {
    return std::nullopt;
  }
  return std::isfinite(result) ? std::optional(result) : std::nullopt;
}

std::optional<double> confidence_of(const GstStructure& structure) {
  for (const char* field : {"confidence", "score"}) {
    const std::optional<double> value = number(structure, field);
    if (value && confidence_from(*value)) {
      return value;
    }
  }
  return std::nullopt;
}

// What a parameter of a region says: analysers agree on nothing but the names of some fields.
void read_parameter(const GstStructure& parameter, std::size_t max_text, Detection& detection) {
  const bool of_detector = gst_structure_has_name(&parameter, "detection");
  if (gst_structure_has_name(&parameter, "object_id")) {
    const std::optional<double> id = number(parameter, "id");
    if (id && *id >= 0) detection.tracker_id = static_cast<std::uint64_t>(*id);
    return;
  }
  const char* label = gst_structure_get_string(&parameter, "label");
  if (label != nullptr && *label != '\0' && !of_detector) {
    if (detection.classifications.size() < Detection::kMaxClassifications) {
      detection.classifications.push_back(
          {clean_text(label, std::min(max_text, Detection::kMaxClassName)),
           confidence_of(parameter)});
    }
    return;
  }
  if (!detection.confidence) detection.confidence = confidence_of(parameter);
}

// From the corner and size that nearly all analysers give.
std::optional<Box> box_of(const GstStructure& structure) {
  const std::optional<double> left = number(structure, "x");
  const std::optional<double> top = number(structure, "y");
  const std::optional<double> width = number(structure, "width");
  const std::optional<double> height = number(structure, "height");
  if (!left || !top || !width || !height || *width <= 0 || *height <= 0) {
    return std::nullopt;
  }
  return box_from_corner(*left, *top, *width, *height);
}

GstClockTime time_field(const GstStructure& structure, const char* field) {
  guint64 value = GST_CLOCK_TIME_NONE;
  gst_structure_get_uint64(&structure, field, &value);
  return value;
}

// A readable property of the message's sender, if it has one of that name and type.
bool read_property(GstObject* object, const char* name, GType type, GValue* value) {
  if (object == nullptr) {
    return false;
  }
  const GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(object), name);
  if (spec == nullptr || spec->value_type != type || (spec->flags & G_PARAM_READABLE) == 0) {
    return false;
  }
  g_value_init(value, type);
  g_object_get_property(G_OBJECT(object), name, value);
  return true;
}

std::string string_property(GstObject* object, const char* name) {
  GValue value = G_VALUE_INIT;
  if (!read_property(object, name, G_TYPE_STRING, &value)) {
    return {};
  }
  const char* text = g_value_get_string(&value);
  std::string result = text != nullptr ? text : "";
  g_value_unset(&value);
  return result;
}

int int_property(GstObject* object, const char* name) {
  GValue value = G_VALUE_INIT;
  if (!read_property(object, name, G_TYPE_INT, &value)) {
    return 0;
  }
  const int result = g_value_get_int(&value);
  g_value_unset(&value);
  return result;
}

// motioncells names the cells of its grid in which something moved, "row:column,row:column,...":
// the rectangle around them, in fractions of the frame.
std::optional<Box> box_of_cells(const char* cells, int columns, int rows) {
  if (cells == nullptr || columns <= 0 || rows <= 0) {
    return std::nullopt;
  }
  int left = columns;
  int right = -1;
  int top = rows;
  int bottom = -1;
  for (const char* cell = cells; cell != nullptr && *cell != '\0';) {
    int row = -1;
    int column = -1;
    if (std::sscanf(cell, "%5d:%5d", &row, &column) == 2 && row >= 0 && row < rows && column >= 0 &&
        column < columns) {
      left = std::min(left, column);
      right = std::max(right, column);
      top = std::min(top, row);
      bottom = std::max(bottom, row);
    }
    cell = std::strchr(cell, ',');
    cell = cell != nullptr ? cell + 1 : nullptr;
  }
  if (right < 0) {
    return std::nullopt;
  }
  return box_from_corner(static_cast<double>(left) / columns, static_cast<double>(top) / rows,
                         static_cast<double>(right - left + 1) / columns,
                         static_cast<double>(bottom - top + 1) / rows);
}

std::vector<Detection> detections_from_metas(GstBuffer* frame, std::size_t max_text,
                                             std::size_t limit, std::uint64_t& dropped) {
  std::vector<Detection> result;
  std::unordered_map<gint, std::size_t> places;  // by the number of the region
  std::vector<std::pair<std::size_t, gint>> parents;
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             frame, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* roi = reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    if (roi->w == 0 || roi->h == 0) {
      continue;
    }
    if (result.size() >= limit) {
      ++dropped;
      continue;
    }
    Detection detection;
    detection.label = clean_label(roi->roi_type, max_text);
    detection.box = box_from_corner(roi->x, roi->y, roi->w, roi->h);
    for (const GList* item = roi->params; item != nullptr; item = item->next) {
      const auto* parameter = static_cast<const GstStructure*>(item->data);
      if (parameter != nullptr) read_parameter(*parameter, max_text, detection);
    }
    // 0 is what regions without numbers have.
    if (roi->id != 0) places[roi->id] = result.size();
    if (roi->parent_id != 0) parents.emplace_back(result.size(), roi->parent_id);
    result.push_back(std::move(detection));
  }
  for (const auto& [child, number] : parents) {
    const auto parent = places.find(number);
    if (parent != places.end() && parent->second != child) result[child].parent = parent->second;
  }
  return result;
}

void round_numbers(Detection& detection) {
  if (detection.box) {
    Box& box = *detection.box;
    for (double* value : {&box.x, &box.y, &box.width, &box.height}) *value = to_thousandths(*value);
  }
  if (detection.orientation) {
    detection.orientation->angle = to_thousandths(detection.orientation->angle);
    for (Point& corner : detection.orientation->corners) {
      corner = {to_thousandths(corner.x), to_thousandths(corner.y)};
    }
  }
}

}  // namespace

double to_thousandths(double value) {
  // A double that is larger has no such digits. Adding 0 makes 0 of -0.
  return std::abs(value) < 1e12 ? std::round(value * 1000) / 1000 + 0.0 : value;
}

std::string label_of_cascade(const std::string& path) {
  std::string_view name = path;
  if (const std::size_t slash = name.find_last_of('/'); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  name = name.substr(0, name.find('.'));
  constexpr std::string_view kPrefix = "haarcascade_";
  if (name.starts_with(kPrefix)) {
    name.remove_prefix(kPrefix.size());
  }
  struct Known {
    std::string_view prefix;
    std::string_view label;
  };
  static constexpr Known kKnown[] = {
      {"fullbody", "person"},
      {"upperbody", "person"},
      {"lowerbody", "person"},
      {"frontalface", "face"},
      {"profileface", "face"},
      {"frontalcatface", "cat"},
      {"eye", "eye"},
      {"lefteye", "eye"},
      {"righteye", "eye"},
      {"licence_plate", "licence-plate"},
      {"russian_plate", "licence-plate"},
  };
  for (const Known& known : kKnown) {
    if (name.starts_with(known.prefix)) {
      return std::string(known.label);
    }
  }
  return std::string(name);
}

void DetectionCollector::read_faces(const GstStructure& structure, GstClockTime pts,
                                    const std::string& label, std::vector<Pending>& out) {
  const GValue* faces = gst_structure_get_value(&structure, "faces");
  if (faces == nullptr || !GST_VALUE_HOLDS_LIST(faces)) {
    return;
  }
  const guint count = gst_value_list_get_size(faces);
  for (guint i = 0; i < count; ++i) {
    const GValue* face = gst_value_list_get_value(faces, i);
    if (!GST_VALUE_HOLDS_STRUCTURE(face)) {
      continue;
    }
    const GstStructure* fields = gst_value_get_structure(face);
    const std::optional<Box> box = fields != nullptr ? box_of(*fields) : std::nullopt;
    if (box) {
      out.push_back({pts, {label, box, std::nullopt, {}}, true, false});
    }
  }
}

bool DetectionCollector::add_message(GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ELEMENT) {
    return false;
  }
  const GstStructure* structure = gst_message_get_structure(message);
  if (structure == nullptr) {
    return false;
  }
  GstObject* source = GST_MESSAGE_SRC(message);
  std::vector<Pending> found;
  if (gst_structure_has_name(structure, "facedetect")) {
    const GstClockTime pts = time_field(*structure, "timestamp");
    if (!GST_CLOCK_TIME_IS_VALID(pts)) {
      return false;
    }
    std::string label =
        clean_text(label_of_cascade(string_property(source, "profile")).c_str(), limits_.max_text);
    read_faces(*structure, pts, label.empty() ? "face" : label, found);
  } else if (gst_structure_has_name(structure, "barcode")) {
    const GstClockTime pts = time_field(*structure, "timestamp");
    if (!GST_CLOCK_TIME_IS_VALID(pts)) {
      return false;
    }
    Detection barcode;
    barcode.label = clean_text(gst_structure_get_string(structure, "type"), limits_.max_text);
    if (barcode.label.empty()) {
      barcode.label = "barcode";
    }
    // zbar's "quality" has no scale, so it is no confidence.
    barcode.text = clean_text(gst_structure_get_string(structure, "symbol"), limits_.max_text);
    found.push_back({pts, std::move(barcode), false, false});
  } else if (gst_structure_has_name(structure, "motion")) {
    // The same element also tells when motion ended and about its files: those are not about what
    // is in a frame.
    GstClockTime pts = time_field(*structure, "motion_begin");
    if (!GST_CLOCK_TIME_IS_VALID(pts)) {
      pts = time_field(*structure, "motion");
    }
    if (!GST_CLOCK_TIME_IS_VALID(pts)) {
      return false;
    }
    const char* cells = gst_structure_get_string(structure, "motion_cells_indices");
    Detection motion;
    motion.label = "motion";
    motion.text = clean_text(cells, limits_.max_text);
    motion.box = box_of_cells(cells, int_property(source, "gridx"), int_property(source, "gridy"));
    found.push_back({pts, std::move(motion), false, true});
  } else {
    return false;
  }
  for (Pending& pending : found) {
    keep(std::move(pending));
  }
  return true;
}

void DetectionCollector::keep(Pending pending) {
  const MutexLock lock(mutex_);
  pending_.push_back(std::move(pending));
  while (pending_.size() > limits_.max_pending) {
    pending_.pop_front();
    ++dropped_;
  }
}

std::vector<DetectionCollector::Pending> DetectionCollector::extract(GstClockTime pts) {
  std::vector<Pending> result;
  if (!GST_CLOCK_TIME_IS_VALID(pts)) {
    return result;
  }
  const MutexLock lock(mutex_);
  // Frames pass in the order of their messages, so what is wanted is near the front; the rest keeps
  // its order.
  const auto rest = std::stable_partition(pending_.begin(), pending_.end(),
                                          [pts](const Pending& p) { return p.pts == pts; });
  result.assign(std::make_move_iterator(pending_.begin()), std::make_move_iterator(rest));
  pending_.erase(pending_.begin(), rest);
  return result;
}

std::vector<Detection> DetectionCollector::take(GstBuffer* frame, const GstVideoInfo* info) {
  std::vector<Pending> said = extract(GST_BUFFER_PTS(frame));
  std::uint64_t dropped = 0;
  std::vector<Detection> result =
      detections_from_metas(frame, limits_.max_text, limits_.max_per_frame, dropped);

  append_analytics_detections(frame, limits_.max_per_frame, limits_.max_text, result, dropped);

  // An analyser that speaks in both ways: the metas win, because scaling behind the analyser scales
  // them too; the messages know the better label. The n-th of one is the n-th of the other, unless
  // one kind lost some on the way; then they are the same where their boxes are.
  std::vector<std::size_t> regions;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i].label == "face") {
      regions.push_back(i);
    }
  }
  const auto both =
      std::count_if(said.begin(), said.end(), [](const Pending& p) { return p.has_meta; });
  const bool in_step = static_cast<std::size_t>(both) == regions.size();
  std::size_t next = 0;
  for (Pending& pending : said) {
    Detection& detection = pending.detection;
    if (pending.has_meta && !regions.empty()) {
      if (in_step) {
        result[regions[next++]].label = detection.label;
      } else {
        const auto twin = std::find_if(regions.begin(), regions.end(), [&](std::size_t i) {
          return result[i].label == "face" && result[i].box == detection.box;
        });
        if (twin != regions.end()) {
          result[*twin].label = detection.label;
        }
      }
      continue;
    }
    if (pending.relative && detection.box) {
      if (info != nullptr) {
        Box& box = *detection.box;
        box.x *= GST_VIDEO_INFO_WIDTH(info);
        box.width *= GST_VIDEO_INFO_WIDTH(info);
        box.y *= GST_VIDEO_INFO_HEIGHT(info);
        box.height *= GST_VIDEO_INFO_HEIGHT(info);
      } else {
        detection.box.reset();
      }
    }
    if (result.size() < limits_.max_per_frame) {
      result.push_back(std::move(detection));
    } else {
      ++dropped;
    }
  }
  std::size_t room = limits_.max_per_frame;
  for (Detection& detection : result) {
    const std::size_t classes = detection.classifications.size();
    const std::size_t kept = std::min(classes, room);
    detection.classifications.resize(kept);
    dropped += classes - kept;
    room -= kept;
    round_numbers(detection);
  }
  if (dropped > 0) {
    const MutexLock lock(mutex_);
    dropped_ += dropped;
  }
  return result;
}

void DetectionCollector::clear() {
  const MutexLock lock(mutex_);
  pending_.clear();
}

std::uint64_t DetectionCollector::dropped() const {
  const MutexLock lock(mutex_);
  return dropped_;
}

}  // namespace webrtcupload
