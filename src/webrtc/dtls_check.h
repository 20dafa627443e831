// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether whoever has connected is who has sent the session description: the certificate that the
// peer shows in DTLS has to have the fingerprint that its description announced.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <string>
#include <utility>

namespace webrtcupload {

// What a webrtcbin shows of its DTLS at one moment.
struct DtlsStatus {
  GstWebRTCDTLSTransportState state = GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW;
  std::string remote_certificate;  // In PEM; empty before the peer has shown it.
};

// Reads webrtcbin's properties: not under the PC lock.
[[nodiscard]] DtlsStatus dtls_status(GstElement* webrtcbin);

// Of one connection. Takes values, so that every order of events can be tried.
class DtlsCheck {
 public:
  // Of the remote description, as in SDP ("sha-256 AB:CD:...").
  void expect(std::string fingerprint) { fingerprint_ = std::move(fingerprint); }

  // False when the peer is not who it should be. That is said once.
  [[nodiscard]] bool passes(const DtlsStatus& status);

 private:
  std::string fingerprint_;
  bool checked_ = false;
};

}  // namespace webrtcupload
