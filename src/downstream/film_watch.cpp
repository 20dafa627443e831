// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/film_watch.h"

#include <atomic>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "core/picture_size.h"
#include "glib/elements_in.h"
#include "glib/glib_ptr.h"
#include "glib/upstream.h"
#include "webrtc/find_webrtcbin.h"

namespace webrtcupload {
namespace {

enum class Kind { kOther, kDemuxer, kParser, kDecoder };

std::string_view classes_of(GstElement* element) {
  const char* text = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
  return text ? text : "";
}

// What an encoder makes is the pipeline's own work, as large and as long as that wants it.
bool keeps_the_film(GstElement* element) {
  return classes_of(element).find("Encoder") == std::string_view::npos;
}

// Bins are looked into instead. Parts of webrtcbin are called demuxers and decoders as well.
Kind kind_of(GstElement* element) {
  const auto has = [classes = classes_of(element)](std::string_view name) {
    return classes.find(name) != std::string_view::npos;
  };
  if (GST_IS_BIN(element) || has("Network") || has("DTLS")) return Kind::kOther;
  if (has("Demux")) return Kind::kDemuxer;
  // Before parsers: what does both has frames as well.
  if (has("Decoder")) return Kind::kDecoder;
  return has("Parser") ? Kind::kParser : Kind::kOther;
}

class WeakObject {
 public:
  explicit WeakObject(gpointer object) { g_weak_ref_init(&ref_, object); }
  ~WeakObject() { g_weak_ref_clear(&ref_); }
  WeakObject(const WeakObject&) = delete;
  WeakObject& operator=(const WeakObject&) = delete;

  [[nodiscard]] GObjectPtr<GObject> get() const {
    return GObjectPtr<GObject>(static_cast<GObject*>(g_weak_ref_get(&ref_)));
  }

 private:
  mutable GWeakRef ref_;
};

std::vector<GstPtr<GstPad>> pads_of(GstElement* element) {
  std::vector<GstPtr<GstPad>> pads;
  GST_OBJECT_LOCK(element);
  for (GList* item = element->pads; item; item = item->next) {
    pads.push_back(ref_gst(GST_PAD(item->data)));
  }
  GST_OBJECT_UNLOCK(element);
  return pads;
}

std::uint64_t tag_size(const GstTagList* tags) {
  std::uint64_t size = 0;
  gst_tag_list_foreach(
      tags,
      [](const GstTagList* list, const char* tag, gpointer sum) {
        for (guint i = 0; i < gst_tag_list_get_tag_size(list, tag); ++i) {
          const GValue* value = gst_tag_list_get_value_index(list, tag, i);
          std::uint64_t bytes = 0;
          if (G_VALUE_HOLDS_STRING(value)) {
            const char* text = g_value_get_string(value);
            bytes = text ? std::string_view(text).size() : 0;
          } else if (GST_VALUE_HOLDS_SAMPLE(value)) {
            GstSample* sample = gst_value_get_sample(value);
            GstBuffer* buffer = sample ? gst_sample_get_buffer(sample) : nullptr;
            bytes = buffer ? gst_buffer_get_size(buffer) : 0;
          }
          *static_cast<std::uint64_t*>(sum) += bytes;
        }
      },
      &size);
  return size;
}

}  // namespace

struct FilmWatch::State {
  State(GstElement* element, const FilmLimits& film, OnExceeded callback)
      : source(element), limits(film), exceeded(std::move(callback)) {}

  struct Probe {
    Probe(GstPad* watched, gulong number) : pad(watched), id(number) {}
    WeakObject pad;
    gulong id;
  };

  const WeakObject source;
  const FilmLimits limits;
  const OnExceeded exceeded;
  // A limit was exceeded: nothing gets through any more.
  std::atomic<bool> over = false;
  // Nobody watches any more.
  std::atomic<bool> retired = false;

  // Protects what follows. Nothing is called under it that takes other locks than an object's.
  Mutex mutex;
  std::vector<std::unique_ptr<Probe>> probes GUARDED_BY(mutex);
  std::vector<SignalConnection> pad_added GUARDED_BY(mutex);
  std::vector<std::unique_ptr<WeakObject>> demuxers GUARDED_BY(mutex);

  // Whether `element` has what comes from the source.
  [[nodiscard]] bool is_fed(GstElement* element) const {
    const auto from = source.get();
    return from && feeds(GST_ELEMENT(from.get()), element, keeps_the_film);
  }

  // True: what is at `element` must not get through.
  bool refuses(GstElement* element, const std::optional<Error>& error) {
    if (!error || !is_fed(element)) return false;
    const auto held = source.get();
    if (held && !retired && !over.exchange(true)) exceeded(*error);
    return true;
  }

  // Each stream of a demuxer that another demuxer takes is none. Only the film's demuxers count.
  [[nodiscard]] std::uint64_t streams() {
    std::vector<GObjectPtr<GObject>> there;
    {
      const MutexLock lock(mutex);
      for (const auto& weak : demuxers) {
        if (auto demuxer = weak->get()) there.push_back(std::move(demuxer));
      }
    }
    std::uint64_t pads = 0;
    std::uint64_t taken = 0;
    for (const auto& demuxer : there) {
      if (!is_fed(GST_ELEMENT(demuxer.get()))) continue;
      GST_OBJECT_LOCK(demuxer.get());
      pads += GST_ELEMENT(demuxer.get())->numsrcpads;
      GST_OBJECT_UNLOCK(demuxer.get());
      ++taken;
    }
    return pads + 1 > taken ? pads + 1 - taken : 0;
  }
};

namespace {

// What is known of one pad. Only its streaming thread touches it, all but the first two.
template <typename State>
struct PadWatch {
  const std::shared_ptr<State> state;
  const Kind kind;
  const bool is_sink;
  bool is_fed = false;
  bool has_frames = false;
  // To be looked into for the picture's size; empty if not.
  std::string format;
  std::uint64_t frames = 0;
  GstClockTime first_pts = GST_CLOCK_TIME_NONE;

  using Verdict = std::optional<Error>;

  Verdict check_event(GstEvent* event) {
    const FilmLimits& limits = state->limits;
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_CAPS: {
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event, &caps);
        return check_caps(caps);
      }
      case GST_EVENT_SEGMENT: {
        const GstSegment* segment = nullptr;
        gst_event_parse_segment(event, &segment);
        if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(segment->duration)) {
          return std::nullopt;
        }
        return check_duration(limits, duration_of(segment->duration, GST_SECOND));
      }
      case GST_EVENT_STREAM_COLLECTION: {
        GstStreamCollection* collection = nullptr;
        gst_event_parse_stream_collection(event, &collection);
        const guint streams = gst_stream_collection_get_size(collection);
        gst_object_unref(collection);
        return check_streams(limits, streams);
      }
      case GST_EVENT_TAG: {
        GstTagList* tags = nullptr;
        gst_event_parse_tag(event, &tags);
        return check_metadata(tag_size(tags), "tags");
      }
      default:
        return std::nullopt;
    }
  }

  Verdict check_caps(GstCaps* caps) {
    if (gst_caps_get_size(caps) == 0) return std::nullopt;
    const GstStructure* structure = gst_caps_get_structure(caps, 0);
    const std::string_view name = gst_structure_get_name(structure);
    has_frames =
        kind != Kind::kDemuxer && (name.starts_with("video/") || name.starts_with("image/"));
    format = kind == Kind::kDecoder && is_sink ? name : "";
    int width = 0;
    int height = 0;
    if (!gst_structure_get_int(structure, "width", &width) ||
        !gst_structure_get_int(structure, "height", &height) || width < 0 || height < 0) {
      return std::nullopt;
    }
    return check_picture(state->limits, static_cast<std::uint64_t>(width),
                         static_cast<std::uint64_t>(height));
  }

  Verdict check_buffer(GstBuffer* buffer) {
    const FilmLimits& limits = state->limits;
    if (has_frames) {
      if (auto error = check_frames(limits, ++frames)) return error;
    }
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (GST_CLOCK_TIME_IS_VALID(pts)) {
      if (!GST_CLOCK_TIME_IS_VALID(first_pts)) first_pts = pts;
      if (pts > first_pts) {
        if (auto error = check_duration(limits, duration_of(pts - first_pts, GST_SECOND))) {
          return error;
        }
      }
    }
    return format.empty() ? std::nullopt : check_coded(buffer);
  }

  Verdict check_coded(GstBuffer* buffer) const {
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return std::nullopt;
    const auto size = picture_size(format, ByteView(map.data, map.size));
    gst_buffer_unmap(buffer, &map);
    return size ? check_picture(state->limits, size->width, size->height) : std::nullopt;
  }

  Verdict check(GstPadProbeInfo* info) {
    if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
      return check_event(GST_PAD_PROBE_INFO_EVENT(info));
    }
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) == 0) {
      return check_buffer(GST_PAD_PROBE_INFO_BUFFER(info));
    }
    GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    for (guint i = 0; i < gst_buffer_list_length(list); ++i) {
      if (auto error = check_buffer(gst_buffer_list_get(list, i))) return error;
    }
    return std::nullopt;
  }

  static GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<PadWatch*>(data);
    if (self.state->retired) return GST_PAD_PROBE_OK;
    const auto error = self.check(info);
    if (!error && !self.state->over) return GST_PAD_PROBE_OK;
    const GstPtr<GstElement> element(gst_pad_get_parent_element(pad));
    if (!element) return GST_PAD_PROBE_OK;
    if (self.state->refuses(element.get(), error)) return GST_PAD_PROBE_DROP;
    if (!self.state->over || !is_decoded(info)) return GST_PAD_PROBE_OK;
    if (!self.is_fed) self.is_fed = self.state->is_fed(element.get());
    return self.is_fed ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }

  // What a decoder does something for, and the end of the stream, as if all were well. Other events
  // pass, without which pads complain.
  static bool is_decoded(const GstPadProbeInfo* info) {
    if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0) return true;
    const GstEventType type = GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info));
    return type == GST_EVENT_CAPS || type == GST_EVENT_EOS || type == GST_EVENT_GAP;
  }
};

template <typename State>
void watch_pad(const std::shared_ptr<State>& state, Kind kind, GstPad* pad) {
  const bool is_sink = GST_PAD_IS_SINK(pad);
  // What a demuxer is given has neither frames nor a picture.
  if (kind == Kind::kDemuxer && is_sink) return;
  using Watch = PadWatch<State>;
  constexpr auto kData =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_BUFFER |
                                   GST_PAD_PROBE_TYPE_BUFFER_LIST);
  const gulong id = gst_pad_add_probe(pad, kData, Watch::on_data, new Watch{state, kind, is_sink},
                                      [](gpointer watch) { delete static_cast<Watch*>(watch); });
  const MutexLock lock(state->mutex);
  state->probes.push_back(std::make_unique<typename State::Probe>(pad, id));
}

// Before decodebin's and its kin's own handlers, which are connected when the element is in its
// bin: they do not hear of a stream too many.
template <typename State>
void on_pad_added(GstElement* element, GstPad* pad, std::shared_ptr<State>* data) {
  const std::shared_ptr<State> state = *data;
  if (state->retired) return;
  const Kind kind = kind_of(element);
  watch_pad(state, kind, pad);
  if (kind != Kind::kDemuxer || !GST_PAD_IS_SRC(pad)) return;
  const bool refused = state->refuses(element, check_streams(state->limits, state->streams()));
  if (refused || (state->over && state->is_fed(element))) {
    g_signal_stop_emission_by_name(element, "pad-added");
  }
}

template <typename State>
void watch_element(const std::shared_ptr<State>& state, GstElement* element) {
  const Kind kind = kind_of(element);
  if (kind == Kind::kOther || state->retired) return;
  SignalConnection connection(element, "pad-added", G_CALLBACK(on_pad_added<State>),
                              std::shared_ptr<State>(state));
  {
    const MutexLock lock(state->mutex);
    state->pad_added.push_back(std::move(connection));
    if (kind == Kind::kDemuxer) state->demuxers.push_back(std::make_unique<WeakObject>(element));
  }
  for (const auto& pad : pads_of(element)) watch_pad(state, kind, pad.get());
}

}  // namespace

FilmWatch::FilmWatch(GstElement* source, const FilmLimits& limits, OnExceeded exceeded)
    : state_(std::make_shared<State>(source, limits, std::move(exceeded))) {
  const GstPtr<GstObject> top = outermost_parent(source);
  if (!GST_IS_BIN(top.get())) return;
  element_added_ = SignalConnection(
      top.get(), "deep-element-added",
      G_CALLBACK(+[](GstBin*, GstBin*, GstElement* element, std::shared_ptr<State>* state) {
        const std::shared_ptr<State> held = *state;
        watch_element(held, element);
      }),
      std::shared_ptr<State>(state_));
  for (const auto& element : elements_in(GST_BIN(top.get()))) watch_element(state_, element.get());
}

FilmWatch::~FilmWatch() {
  state_->retired = true;
  element_added_.disconnect();
  std::vector<std::unique_ptr<State::Probe>> probes;
  std::vector<SignalConnection> connections;
  {
    const MutexLock lock(state_->mutex);
    probes.swap(state_->probes);
    connections.swap(state_->pad_added);
  }
  for (const auto& probe : probes) {
    if (const auto pad = probe->pad.get()) gst_pad_remove_probe(GST_PAD(pad.get()), probe->id);
  }
}

}  // namespace webrtcupload
