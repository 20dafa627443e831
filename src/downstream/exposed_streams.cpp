// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/exposed_streams.h"

#include <gst/pbutils/missing-plugins.h>

#include <algorithm>
#include <string_view>

#include "core/redaction.h"
#include "glib/elements_in.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

constexpr char kNoVideo[] = "no-video";
constexpr char kNoAudio[] = "no-audio";
// A film that lacks more of them lacks these as well.
constexpr std::size_t kMostMissing = 3;

bool is_decoder(GstElement* element) {
  const GstElementFactory* factory = gst_element_get_factory(element);
  const std::string_view name = factory ? GST_OBJECT_NAME(factory) : "";
  return name == "decodebin" || name == "decodebin3";
}

}  // namespace

void ExposedStreams::watch(GstElement* pipeline) {
  using Closure = std::weak_ptr<ExposedStreams>;
  for (const auto& element : elements_in(GST_BIN(pipeline))) {
    if (!is_decoder(element.get())) continue;
    connections_.emplace_back(element.get(), "pad-added",
                              G_CALLBACK(+[](GstElement*, GstPad* pad, Closure* closure) {
                                if (const auto self = closure->lock()) self->add(pad);
                              }),
                              Closure(weak_from_this()));
  }
}

void ExposedStreams::add(GstPad* pad) {
  GstCapsPtr caps(gst_pad_get_current_caps(pad));
  if (!caps) caps.reset(gst_pad_query_caps(pad, nullptr));
  if (!caps || gst_caps_is_any(caps.get()) || gst_caps_is_empty(caps.get())) return;
  const std::string_view name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  const bool is_linked = gst_pad_is_linked(pad);
  const MutexLock lock(mutex_);
  has_video_ = has_video_ || name.starts_with("video/");
  has_audio_ = has_audio_ || name.starts_with("audio/");
  is_used_ = is_used_ || is_linked;
}

void ExposedStreams::add_message(GstMessage* message) {
  if (!gst_is_missing_plugin_message(message)) return;
  const char* type = gst_structure_get_string(gst_message_get_structure(message), "type");
  if (g_strcmp0(type, "decoder") != 0) return;
  const GCharPtr description(gst_missing_plugin_message_get_description(message));
  const std::string name = text_for_client(description ? description.get() : "");
  const MutexLock lock(mutex_);
  if (name.empty() || missing_.size() >= kMostMissing ||
      std::ranges::find(missing_, name) != missing_.end()) {
    return;
  }
  missing_.push_back(name);
}

std::optional<ClientError> ExposedStreams::why_unused() const {
  const MutexLock lock(mutex_);
  if (is_used_) return std::nullopt;
  if (!missing_.empty()) {
    std::string names;
    for (const std::string& name : missing_) names += (names.empty() ? "" : ", ") + name;
    return ClientError{kProcessingFailed, "this server cannot decode the film: it has no " + names};
  }
  if (has_audio_ && !has_video_) {
    return ClientError{kNoVideo, "there is no picture in this file"};
  }
  if (has_video_ && !has_audio_) return ClientError{kNoAudio, "there is no sound in this file"};
  return std::nullopt;
}

}  // namespace webrtcupload
