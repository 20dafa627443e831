// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcuploadserver/resume_choice.h"

namespace webrtcupload {
namespace {

constexpr const char* kProperty = "resume-timeout";

using Flag = std::shared_ptr<std::atomic<bool>>;

}  // namespace

ResumeChoice::ResumeChoice(GstElement* upload)
    : upload_(upload),
      on_set_(upload, "notify::resume-timeout",
              G_CALLBACK(+[](GObject*, GParamSpec*, Flag* given) { **given = true; }), given_) {}

void ResumeChoice::choose(bool has_signaller) {
  if (*given_) return;
  if (has_signaller) {
    g_object_set(upload_, kProperty, guint64{0}, nullptr);
  } else {
    // It may have had one before.
    GParamSpec* const spec = g_object_class_find_property(G_OBJECT_GET_CLASS(upload_), kProperty);
    g_object_set_property(G_OBJECT(upload_), kProperty, g_param_spec_get_default_value(spec));
  }
  *given_ = false;
}

}  // namespace webrtcupload
