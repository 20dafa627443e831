// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether whoever has connected is who has sent the session description: the certificate that the
// peer shows in DTLS has to have a fingerprint that its description announced.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <string>
#include <vector>

namespace webrtcupload {

// What a webrtcbin shows of its DTLS at one moment.
struct DtlsStatus {
  GstWebRTCDTLSTransportState state = GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW;
  std::string remote_certificate;  // In PEM; empty before the peer has shown it. It stays.
};

// Reads webrtcbin's properties: not under the PC lock.
[[nodiscard]] DtlsStatus dtls_status(GstElement* webrtcbin);

// Of one connection. Takes values, so that every order of events can be tried. The first verdict
// but kOpen is the last.
class DtlsCheck {
 public:
  enum class Verdict {
    kOpen,  // DTLS has not come about. So nothing has come from the peer.
    kTrusted,
    kUntrusted,
  };
  static constexpr const char* kWhyUntrusted =
      "the peer's certificate is not the one its session description announced";

  // Of the remote description, as in SDP ("sha-256 AB:CD:..."). The certificate has to have one of
  // them.
  void expect(std::vector<std::string> fingerprints);

  // The state has changed, or may have. One that has gone past "connected" before anybody looked
  // means a certificate to compare all the same, and without one the peer is not trusted.
  Verdict look(const DtlsStatus& status);
  // Something has come over the connection. So DTLS is or was up, whatever the state says by now.
  Verdict data_came(const DtlsStatus& status);

  [[nodiscard]] Verdict verdict() const { return verdict_; }

 private:
  Verdict compare(const std::string& certificate);

  std::vector<std::string> fingerprints_;
  Verdict verdict_ = Verdict::kOpen;
};

// Of a webrtcbin over which something has come, or one of whose channels has opened: with the
// description that it has of its peer. kOpen if it has none, or if it is a bin around a webrtcbin
// that does not show it. Reads webrtcbin's properties: not under the PC lock.
[[nodiscard]] DtlsCheck::Verdict check_peer_of(GstElement* webrtcbin);

enum class PeerTrust {
  // So is a peer of which nothing is known that could be compared.
  kTrusted,
  kOtherCertificate,
  // Nothing can be looked at any more.
  kWebrtcbinHasGone,
};
// Why a peer is not trusted, for a person.
[[nodiscard]] const char* to_string(PeerTrust trust);

// Whether what comes over `channel`, which has been open, may count as its peer's. Where its
// webrtcbin is not known that is `otherwise`, which may be null. Says in the log why. Waits for
// webrtcbin's PC lock.
[[nodiscard]] PeerTrust peer_trust(GstWebRTCDataChannel* channel, GstElement* otherwise);

}  // namespace webrtcupload
