// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/peer_gone.h"

#include "webrtc/inner_elements.h"

namespace webrtcupload {
namespace {

constexpr const char* kClosed = "the peer closed the connection";

}  // namespace

std::optional<std::string> why_gone(GstWebRTCPeerConnectionState state) {
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED) {
    return "the connection to the peer was lost";
  }
  // By this side.
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED) return "the peer connection was closed";
  return std::nullopt;
}

std::optional<std::string> why_gone(GstWebRTCSCTPTransportState state) {
  if (state == GST_WEBRTC_SCTP_TRANSPORT_STATE_CLOSED) return kClosed;
  return std::nullopt;
}

std::optional<std::string> why_gone(GstWebRTCDTLSTransportState state) {
  if (state == GST_WEBRTC_DTLS_TRANSPORT_STATE_CLOSED) return kClosed;
  if (state == GST_WEBRTC_DTLS_TRANSPORT_STATE_FAILED) {
    return "the encrypted connection to the peer failed";
  }
  return std::nullopt;
}

std::optional<std::string> why_gone(GstWebRTCDataChannelState state) {
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING ||
      state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED) {
    return "the data channel was closed";
  }
  return std::nullopt;
}

std::string why_gone_by_error(GstMessage* error) {
  GstObject* source = GST_MESSAGE_SRC(error);
  if (GST_IS_ELEMENT(source)) {
    GstElementFactory* factory = gst_element_get_factory(GST_ELEMENT(source));
    if (factory && g_str_equal(GST_OBJECT_NAME(factory), inner::kSctpEncoder)) return kClosed;
  }
  GError* parsed = nullptr;
  gst_message_parse_error(error, &parsed, nullptr);
  std::string why = std::string("the connection failed: ") + (parsed ? parsed->message : "?");
  g_clear_error(&parsed);
  return why;
}

}  // namespace webrtcupload
