// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/video_track.h"

#include <gst/webrtc/webrtc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;

// Waiting for the encoder.
constexpr unsigned kMaxFrames = 4;
// A track that takes nothing for so long (it was not negotiated, its encoder fails) does not hold
// the analysis up any more.
constexpr milliseconds kPatience{3000};
// What the client sees as the id of the MediaStream.
constexpr const char* kStreamId = "webrtcupload";

struct Encoder {
  const char* codec;
  // What follows the raw video. The rates suit a person watching; key frames come when the client
  // asks for one, and every few seconds.
  const char* description;
};
constexpr std::array<Encoder, 2> kEncoders = {{
    {"VP8",
     "vp8enc deadline=1 cpu-used=8 end-usage=cbr target-bitrate=2000000 keyframe-max-dist=90 "
     "error-resilient=partitions auto-alt-ref=false lag-in-frames=0 "
     "! rtpvp8pay name=pay picture-id-mode=15-bit"},
    {"H264",
     "videocrop name=even ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=2000 "
     "key-int-max=90 "
     "! video/x-h264,profile=constrained-baseline "
     "! rtph264pay name=pay config-interval=-1 aggregate-mode=zero-latency"},
}};

// The wanted codec if the client takes it, or else the first other one that it takes.
std::optional<std::pair<Encoder, VideoFormat>> choose(const std::vector<VideoFormat>& formats,
                                                      const std::string& wanted) {
  std::array<Encoder, 2> order = kEncoders;
  std::stable_partition(order.begin(), order.end(),
                        [&](const Encoder& encoder) { return encoder.codec == wanted; });
  for (const Encoder& encoder : order) {
    for (const VideoFormat& format : formats) {
      if (format.codec == encoder.codec) return std::pair(encoder, format);
    }
  }
  return std::nullopt;
}

// webrtcbin announces the stream only along with the SSRC.
GstCapsPtr rtp_caps(const VideoFormat& format, std::uint32_t ssrc) {
  return GstCapsPtr(gst_caps_new_simple(
      "application/x-rtp", "media", G_TYPE_STRING, "video", "encoding-name", G_TYPE_STRING,
      format.codec.c_str(), "payload", G_TYPE_INT, format.payload_type, "clock-rate", G_TYPE_INT,
      90000, "ssrc", G_TYPE_UINT, static_cast<guint>(ssrc), nullptr));
}

// H.264 with its colours at half the resolution has even sizes only. An odd frame loses its last
// column or row: nobody misses it, nothing is scaled, and the places in the results stay right.
void crop_to_even(GstElement* videocrop) {
  const GstPtr<GstPad> pad(gst_element_get_static_pad(videocrop, "sink"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      [](GstPad*, GstPadProbeInfo* info, gpointer crop) {
        GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
        if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event, &caps);
        int width = 0;
        int height = 0;
        const GstStructure* structure = gst_caps_get_structure(caps, 0);
        gst_structure_get(structure, "width", G_TYPE_INT, &width, "height", G_TYPE_INT, &height,
                          nullptr);
        const auto spare = [](int size) { return size > 1 ? size % 2 : 0; };
        g_object_set(crop, "right", spare(width), "bottom", spare(height), nullptr);
        return GST_PAD_PROBE_OK;
      },
      videocrop, nullptr);
}

GstPtr<GstElement> make_branch(const Encoder& encoder, const VideoFormat& format,
                               std::uint32_t ssrc, std::string& problem) {
  const std::string text = std::string("appsrc name=frames format=time is-live=true ") +
                           "! videoconvert ! " + encoder.description;
  GError* error = nullptr;
  GstPtr<GstElement> branch(gst_parse_bin_from_description_full(
      text.c_str(), FALSE, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error));
  if (error) {
    problem = error->message;
    g_clear_error(&error);
    if (branch) gst_object_ref_sink(branch.get());
    return nullptr;
  }
  gst_object_ref_sink(branch.get());
  if (const GstPtr<GstElement> crop{gst_bin_get_by_name(GST_BIN(branch.get()), "even")}) {
    crop_to_even(crop.get());
  }
  const GstPtr<GstElement> payloader(gst_bin_get_by_name(GST_BIN(branch.get()), "pay"));
  g_object_set(payloader.get(), "pt", static_cast<guint>(format.payload_type), "ssrc",
               static_cast<guint>(ssrc), nullptr);
  const GstPtr<GstPad> out(gst_element_get_static_pad(payloader.get(), "src"));
  gst_element_add_pad(branch.get(), gst_ghost_pad_new("src", out.get()));
  return branch;
}

// The pad of webrtcbin for a track that is only sent, or null.
GstPtr<GstPad> request_pad(GstElement* webrtcbin, const VideoFormat& format, std::uint32_t ssrc) {
  GstPadTemplate* pad_template = gst_element_get_pad_template(webrtcbin, "sink_%u");
  const GstCapsPtr caps = rtp_caps(format, ssrc);
  GstPtr<GstPad> pad(gst_element_request_pad(webrtcbin, pad_template, nullptr, caps.get()));
  if (!pad) return nullptr;
  GObject* transceiver = nullptr;
  g_object_get(pad.get(), "transceiver", &transceiver, nullptr);
  if (transceiver) {
    g_object_set(transceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                 "codec-preferences", caps.get(), "do-nack", TRUE, nullptr);
    g_object_unref(transceiver);
  }
  // Browsers sort tracks into streams by this.
  g_object_set(pad.get(), "msid", kStreamId, nullptr);
  return pad;
}

}  // namespace

std::unique_ptr<VideoTrack> VideoTrack::create(GstElement* webrtcbin,
                                               const std::vector<VideoFormat>& formats,
                                               const Options& options, std::string& problem) {
  const auto chosen = choose(formats, options.codec);
  if (!chosen) {
    problem = "the client takes neither VP8 nor H.264";
    return nullptr;
  }
  const auto& [encoder, format] = *chosen;
  std::random_device random;
  // 0 is no SSRC to some.
  const auto ssrc = std::uniform_int_distribution<std::uint32_t>(1)(random);
  const GstPtr<GstElement> branch = make_branch(encoder, format, ssrc, problem);
  if (!branch) return nullptr;
  const GstPtr<GstElement> pipeline(GST_ELEMENT(gst_object_get_parent(GST_OBJECT(webrtcbin))));
  const GstPtr<GstPad> sink = request_pad(webrtcbin, format, ssrc);
  if (!pipeline || !sink) {
    problem = "webrtcbin takes no track";
    return nullptr;
  }
  GstPtr<GstElement> source(gst_bin_get_by_name(GST_BIN(branch.get()), "frames"));
  gst_bin_add(GST_BIN(pipeline.get()), branch.get());
  const GstPtr<GstPad> out(gst_element_get_static_pad(branch.get(), "src"));
  if (gst_pad_link(out.get(), sink.get()) != GST_PAD_LINK_OK) {
    problem = "webrtcbin does not take " + format.codec;
    return nullptr;
  }
  return std::unique_ptr<VideoTrack>(new VideoTrack(std::move(source), options.realtime));
}

VideoTrack::VideoTrack(GstPtr<GstElement> source, bool realtime)
    : source_(std::move(source)), realtime_(realtime) {
  const GstPtr<GstPad> pad(gst_element_get_static_pad(source_.get(), "src"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        Queue& queue = **static_cast<std::shared_ptr<Queue>*>(data);
        {
          const MutexLock lock(queue.mutex);
          --queue.waiting;
        }
        queue.changed.notify_all();
        return GST_PAD_PROBE_OK;
      },
      new std::shared_ptr<Queue>(queue_),
      [](gpointer data) { delete static_cast<std::shared_ptr<Queue>*>(data); });
}

VideoTrack::~VideoTrack() { stop(); }

void VideoTrack::stop() {
  {
    const MutexLock lock(queue_->mutex);
    queue_->stopped = true;
  }
  queue_->changed.notify_all();
}

bool VideoTrack::take_place() {
  MutexLock lock(queue_->mutex);
  const auto room = [this]() REQUIRES(queue_->mutex) {
    return queue_->stopped || queue_->waiting < kMaxFrames;
  };
  if (!room()) {
    if (realtime_ || stuck_) return false;
    if (!queue_->changed.wait_for(queue_->mutex, kPatience, room)) {
      g_message("the video track takes no frames: they are left out until it does");
      stuck_ = true;
      return false;
    }
  }
  if (queue_->stopped) return false;
  stuck_ = false;
  ++queue_->waiting;
  return true;
}

std::string VideoTrack::announce(std::string answer_sdp) {
  // webrtcbin says which stream the track belongs to in "a=ssrc:N msid:STREAM TRACK" only, which
  // not every browser reads.
  const std::string by_source = std::string(" msid:") + kStreamId + " ";
  const std::size_t found = answer_sdp.find(by_source);
  if (found == std::string::npos) return answer_sdp;
  const std::size_t end = answer_sdp.find("\r\n", found);
  const std::size_t line = answer_sdp.rfind("\r\n", found);
  if (end == std::string::npos || line == std::string::npos) return answer_sdp;
  const std::string msid = answer_sdp.substr(found + 1, end - found - 1);
  return answer_sdp.insert(line + 2, "a=" + msid + "\r\n");
}

void VideoTrack::push(GstBuffer* frame, GstCaps* caps) {
  // Frames in a device's memory cannot be encoded here.
  const GstCapsFeatures* features = gst_caps_get_features(caps, 0);
  if (features && !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)) {
    return;
  }
  if (!enabled_ || !GST_BUFFER_PTS_IS_VALID(frame) || !take_place()) return;
  if (!caps_ || !gst_caps_is_equal(caps_.get(), caps)) {
    caps_.reset(gst_caps_ref(caps));
    g_object_set(source_.get(), "caps", caps, nullptr);
  }
  if (!first_pts_) {
    first_pts_ = GST_BUFFER_PTS(frame);
    base_ = gst_element_get_current_running_time(source_.get());
    if (!GST_CLOCK_TIME_IS_VALID(base_)) base_ = 0;
  }
  // The pixels are shared, the timestamps are this track's own.
  GstBuffer* copy = gst_buffer_copy(frame);
  const GstClockTime pts = GST_BUFFER_PTS(frame);
  GST_BUFFER_PTS(copy) = base_ + (pts > *first_pts_ ? pts - *first_pts_ : 0);
  GST_BUFFER_DTS(copy) = GST_CLOCK_TIME_NONE;
  GstFlowReturn flow = GST_FLOW_OK;
  g_signal_emit_by_name(source_.get(), "push-buffer", copy, &flow);
  gst_buffer_unref(copy);
}

}  // namespace webrtcupload
