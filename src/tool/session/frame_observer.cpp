// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/frame_observer.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "glib/elements_in.h"
#include "glib/glib_ptr.h"
#include "results/result_document.h"

namespace webrtcupload {
namespace {

void append_detection(std::string& out, const Detection& detection) {
  const auto number = [&out](std::string_view name, double value) {
    out.append(",\"").append(name).append("\":");
    append_json_number(out, value);
  };
  out += "{\"class\":";
  append_json_string(out, detection.label);
  if (detection.box) {
    number("x", detection.box->x);
    number("y", detection.box->y);
    number("width", detection.box->width);
    number("height", detection.box->height);
  }
  if (detection.confidence) number("confidence", *detection.confidence);
  if (detection.parent) out += ",\"parent\":" + std::to_string(*detection.parent);
  if (detection.tracker_id) out += ",\"tracker_id\":" + std::to_string(*detection.tracker_id);
  if (detection.orientation) {
    number("angle", detection.orientation->angle);
    out += ",\"points\":";
    append_json_points(out, detection.orientation->corners);
  }
  if (!detection.classifications.empty()) {
    out += ",\"classifications\":[";
    for (const Classification& classification : detection.classifications) {
      if (out.back() != '[') out += ',';
      out += "{\"class\":";
      append_json_string(out, classification.label);
      if (classification.confidence) number("confidence", *classification.confidence);
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

// Whether raw video may come out of `pad`.
bool may_be_raw_video(GstPad* pad) {
  const GstCapsPtr raw(gst_caps_from_string("video/x-raw(ANY)"));
  const GstCapsPtr caps(gst_pad_query_caps(pad, nullptr));
  return gst_caps_can_intersect(caps.get(), raw.get());
}

GstPtr<GstPad> only_sink_pad(GstElement* element) {
  return GstPtr<GstPad>(element->numsinkpads == 1
                            ? static_cast<GstPad*>(gst_object_ref(element->sinkpads->data))
                            : nullptr);
}

// The sink pad nearest to `sink`, going upstream, that raw video may come in by. A pad that is not
// linked yet (a decoder will be) is taken as it is.
GstPtr<GstPad> last_raw_pad(GstElement* sink) {
  GstPtr<GstPad> pad = only_sink_pad(sink);
  while (pad) {
    const GstPtr<GstPad> peer(gst_pad_get_peer(pad.get()));
    if (!peer || may_be_raw_video(peer.get())) return pad;
    const GstPtr<GstElement> upstream(gst_pad_get_parent_element(peer.get()));
    if (!upstream) return nullptr;
    pad = only_sink_pad(upstream.get());
  }
  return nullptr;
}

}  // namespace

void FrameObserver::attach(GstElement* pipeline) {
  for (const auto& sink : sinks_in(GST_BIN(pipeline))) {
    count(sink.get());
    if (const auto pad = last_raw_pad(sink.get())) watch(pad.get());
  }
}

void FrameObserver::count(GstElement* sink) {
  const GstPtr<GstPad> pad = only_sink_pad(sink);
  if (!pad) return;
  ++open_sinks_;
  gst_pad_add_probe(
      pad.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad* probed, GstPadProbeInfo* info, gpointer data) {
        return (*static_cast<std::shared_ptr<FrameObserver>*>(data))->on_sink_data(probed, info);
      },
      new std::shared_ptr<FrameObserver>(shared_from_this()),
      [](gpointer data) { delete static_cast<std::shared_ptr<FrameObserver>*>(data); });
}

// Before a sink has told its end, or a webrtcresultsink its client that all is done.
GstPadProbeReturn FrameObserver::on_sink_data(GstPad* pad, GstPadProbeInfo* info) {
  if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0) {
    ++buffers_;
    return GST_PAD_PROBE_OK;
  }
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS || --open_sinks_ > 0 ||
      buffers_ > 0 || !has_content_()) {
    return GST_PAD_PROBE_OK;
  }
  const GstPtr<GstElement> sink(gst_pad_get_parent_element(pad));
  if (!sink) return GST_PAD_PROBE_OK;
  GST_ELEMENT_ERROR(sink.get(), STREAM, DECODE, ("no frame of this file could be read"),
                    ("the pipeline has ended without one"));
  return GST_PAD_PROBE_DROP;
}

void FrameObserver::watch(GstPad* pad) {
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad* probed, GstPadProbeInfo* info, gpointer data) {
        const auto& self = *static_cast<std::shared_ptr<FrameObserver>*>(data);
        self->on_buffer(probed, GST_PAD_PROBE_INFO_BUFFER(info));
        return GST_PAD_PROBE_OK;
      },
      new std::shared_ptr<FrameObserver>(shared_from_this()),
      [](gpointer data) { delete static_cast<std::shared_ptr<FrameObserver>*>(data); });
}

void FrameObserver::on_buffer(GstPad* pad, GstBuffer* buffer) {
  if (stopped_) return;
  GstPad* followed = followed_;
  if (followed && followed != pad) return;
  const GstCapsPtr caps(gst_pad_get_current_caps(pad));
  GstVideoInfo info;
  if (!caps || !gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "video/x-raw") ||
      !gst_video_info_from_caps(&info, caps.get())) {
    return;
  }
  if (!followed && !followed_.compare_exchange_strong(followed, pad) && followed != pad) return;

  const std::vector<Detection> detections = detections_.take(buffer, &info);
  on_frame_({.number = frames_.fetch_add(1) + 1,
             .buffer = buffer,
             .time = stream_time_of(buffer, pad),
             .caps = caps.get(),
             .info = info,
             .detections = detections});
}

std::string frame_line(const std::string& session, const FrameObserver::Frame& frame) {
  // Not with json-glib, which writes 288.1 as 288.10000000000002.
  std::string line = "{\"event\":\"frame\",\"session\":";
  append_json_string(line, session);
  line += ",\"frame\":" + std::to_string(frame.number) + ",\"pts\":";
  line += frame.time ? std::to_string(*frame.time) : "null";
  line += ",\"width\":" + std::to_string(GST_VIDEO_INFO_WIDTH(&frame.info)) +
          ",\"height\":" + std::to_string(GST_VIDEO_INFO_HEIGHT(&frame.info));
  if (const auto ratio = pixel_aspect_ratio_of(frame.info)) {
    line += ",\"pixel_aspect_ratio\":";
    append_json_number(line, *ratio);
  }
  line += ",\"detections\":[";
  for (const Detection& detection : frame.detections) {
    if (line.back() != '[') line += ',';
    append_detection(line, detection);
  }
  return line + "]}";
}

}  // namespace webrtcupload
