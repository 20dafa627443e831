// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an element is told about the data channel that it is to use, and its webrtcbin.

#pragma once

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>

#include <string>

#include "glib/glib_ptr.h"
#include "webrtc/pipeline_eos.h"

namespace webrtcupload {

struct ChannelSettings {
  GObjectPtr<GstWebRTCDataChannel> data_channel;
  GstPtr<GstElement> webrtcbin;
  std::string webrtcbin_name;
  std::string channel_label;
  EndPipeline end_pipeline = EndPipeline::kAuto;
};

}  // namespace webrtcupload
