// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/connect_stage.h"

#include <gst/webrtc/webrtc.h>

#include "webrtc/transports.h"

namespace webrtcupload {

// From the transports: webrtcbin's own "ice-connection-state" speaks of media only.
ConnectStage connect_stage(GstElement* webrtcbin) {
  const auto sctp = sctp_transport_of(webrtcbin);
  const auto dtls = transport_below(sctp.get());
  const auto ice = transport_below(dtls.get());
  if (!ice) return ConnectStage::kIce;
  GstWebRTCICEConnectionState ice_state = GST_WEBRTC_ICE_CONNECTION_STATE_NEW;
  g_object_get(ice.get(), "state", &ice_state, nullptr);
  if (ice_state != GST_WEBRTC_ICE_CONNECTION_STATE_CONNECTED &&
      ice_state != GST_WEBRTC_ICE_CONNECTION_STATE_COMPLETED) {
    return ConnectStage::kIce;
  }
  GstWebRTCDTLSTransportState dtls_state = GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW;
  g_object_get(dtls.get(), "state", &dtls_state, nullptr);
  if (dtls_state != GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTED) return ConnectStage::kDtls;
  GstWebRTCSCTPTransportState sctp_state = GST_WEBRTC_SCTP_TRANSPORT_STATE_NEW;
  g_object_get(sctp.get(), "state", &sctp_state, nullptr);
  return sctp_state == GST_WEBRTC_SCTP_TRANSPORT_STATE_CONNECTED ? ConnectStage::kChannel
                                                                 : ConnectStage::kSctp;
}

std::string missing_at(ConnectStage stage, const std::string& peer) {
  switch (stage) {
    case ConnectStage::kIce:
      return "no packets get through between this machine and the " + peer +
             " (ICE found no pair of addresses that works over UDP)";
    case ConnectStage::kDtls:
      return "packets get through, but the " + peer +
             " and this machine did not agree on the encryption (DTLS)";
    case ConnectStage::kSctp:
      return "the connection to the " + peer +
             " is there and encrypted, but the one for data channels in it did not begin (SCTP)";
    case ConnectStage::kChannel:
      return "the " + peer + " is connected, but no data channel opened";
  }
  return "";
}

}  // namespace webrtcupload
