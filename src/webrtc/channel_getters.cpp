// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channel_getters.h"

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

std::string text_of(GstWebRTCDataChannel* channel, const char* property) {
  char* raw = nullptr;
  g_object_get(channel, property, &raw, nullptr);
  const GCharPtr text(raw);
  return text ? text.get() : "";
}

}  // namespace

GstWebRTCDataChannelState ready_state(GstWebRTCDataChannel* channel) {
  GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
  g_object_get(channel, "ready-state", &state, nullptr);
  return state;
}

std::uint64_t buffered_amount(GstWebRTCDataChannel* channel) {
  guint64 amount = 0;
  g_object_get(channel, "buffered-amount", &amount, nullptr);
  return amount;
}

std::string label_of(GstWebRTCDataChannel* channel) { return text_of(channel, "label"); }
std::string protocol_of(GstWebRTCDataChannel* channel) { return text_of(channel, "protocol"); }

int id_of(GstWebRTCDataChannel* channel) {
  gint id = -1;
  g_object_get(channel, "id", &id, nullptr);
  return id;
}

}  // namespace webrtcupload
