// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channel_sending.h"

#include <utility>

#include "glib/glib_ptr.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"

namespace webrtcupload {
namespace {

void tell(std::string* problem, const char* text) {
  if (problem) *problem = text;
}

// `send` is one of GStreamer's functions, with its arguments but the last.
template <typename Send>
bool send_if_open(GstWebRTCDataChannel* channel, std::string* problem, const Send& send) {
  if (ready_state(channel) != GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) {
    tell(problem, "the data channel is not open");
    return false;
  }
  // Held as long as the channel uses it.
  const ChannelOwner owner = owner_of(channel);
  if (owner.has_gone()) {
    tell(problem, kOwnerHasGone);
    return false;
  }
  GError* raw_error = nullptr;
  const bool sent = send(&raw_error);
  const GErrorPtr error(raw_error);
  if (!sent) tell(problem, error ? error->message : "the data channel refused a message");
  return sent;
}

}  // namespace

bool send_on(GstWebRTCDataChannel* channel, std::vector<std::uint8_t> message,
             std::string* problem) {
  return send_on(channel, std::make_shared<const std::vector<std::uint8_t>>(std::move(message)),
                 problem);
}

bool send_on(GstWebRTCDataChannel* channel, const SharedMessage& message, std::string* problem) {
  auto* owned = new SharedMessage(message);
  const GBytesPtr bytes(g_bytes_new_with_free_func(
      message->data(), message->size(),
      [](gpointer data) { delete static_cast<SharedMessage*>(data); }, owned));
  const bool sent = send_if_open(channel, problem, [&](GError** error) {
    return gst_webrtc_data_channel_send_data_full(channel, bytes.get(), error);
  });
  // The channel may have been closed just now, and then nothing frees what holds the bytes; but the
  // bytes themselves, which are many more, nobody reads.
  if (!sent) owned->reset();
  return sent;
}

bool send_text_on(GstWebRTCDataChannel* channel, const std::string& text, std::string* problem) {
  return send_if_open(channel, problem, [&](GError** error) {
    return gst_webrtc_data_channel_send_string_full(channel, text.c_str(), error);
  });
}

}  // namespace webrtcupload
