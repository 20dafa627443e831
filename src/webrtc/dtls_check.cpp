// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/dtls_check.h"

#include <algorithm>
#include <utility>

#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "webrtc/channel_owner.h"
#include "webrtc/fingerprint.h"
#include "webrtc/peer_log.h"
#include "webrtc/transports.h"

#define GST_CAT_DEFAULT webrtcupload::debug::peer()

namespace webrtcupload {

DtlsStatus dtls_status(GstElement* webrtcbin) {
  DtlsStatus status;
  const auto dtls = dtls_transport_of(webrtcbin);
  if (!dtls) return status;
  char* certificate = nullptr;
  g_object_get(dtls.get(), "state", &status.state, "remote-certificate", &certificate, nullptr);
  if (certificate) status.remote_certificate = certificate;
  g_free(certificate);
  return status;
}

DtlsCheck::Verdict check_peer_of(GstElement* webrtcbin) {
  GObjectClass* type = G_OBJECT_GET_CLASS(webrtcbin);
  for (const char* property : {"remote-description", "sctp-transport"}) {
    if (g_object_class_find_property(type, property)) continue;
    GST_INFO_OBJECT(
        webrtcbin, "the peer's certificate is not compared: this bin has no property %s", property);
    return DtlsCheck::Verdict::kOpen;
  }
  GstWebRTCSessionDescription* remote = nullptr;
  g_object_get(webrtcbin, "remote-description", &remote, nullptr);
  if (!remote) {
    GST_INFO_OBJECT(webrtcbin,
                    "the peer's certificate is not compared: there is no description of the peer");
    return DtlsCheck::Verdict::kOpen;
  }
  const GCharPtr sdp(gst_sdp_message_as_text(remote->sdp));
  gst_webrtc_session_description_free(remote);
  DtlsCheck check;
  check.expect(fingerprints_in(sdp.get()));
  const DtlsCheck::Verdict verdict = check.data_came(dtls_status(webrtcbin));
  log_verdict(webrtcbin, verdict, true);
  return verdict;
}

const char* to_string(PeerTrust trust) {
  switch (trust) {
    case PeerTrust::kTrusted:
      return "trusted";
    case PeerTrust::kOtherCertificate:
      return DtlsCheck::kWhyUntrusted;
    case PeerTrust::kWebrtcbinHasGone:
      return "the peer's certificate cannot be compared: the webrtcbin of the data channel has "
             "gone";
  }
  return "?";
}

PeerTrust peer_trust(GstWebRTCDataChannel* channel, GstElement* otherwise) {
  const ChannelOwner owner = owner_of(channel);
  if (owner.has_gone()) {
    GST_WARNING_OBJECT(channel, "%s", to_string(PeerTrust::kWebrtcbinHasGone));
    return PeerTrust::kWebrtcbinHasGone;
  }
  GstElement* const webrtcbin = owner.is_known ? owner.webrtcbin.get() : otherwise;
  if (!webrtcbin) {
    GST_INFO_OBJECT(channel,
                    "the peer's certificate is not compared: no webrtcbin is known for it");
    return PeerTrust::kTrusted;
  }
  return check_peer_of(webrtcbin) == DtlsCheck::Verdict::kUntrusted ? PeerTrust::kOtherCertificate
                                                                    : PeerTrust::kTrusted;
}

void DtlsCheck::expect(std::vector<std::string> fingerprints) {
  fingerprints_ = std::move(fingerprints);
}

DtlsCheck::Verdict DtlsCheck::look(const DtlsStatus& status) {
  switch (status.state) {
    case GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW:
    case GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTING:
      // A certificate that is there already proves nothing: its owner has not shown the key.
      return verdict_;
    case GST_WEBRTC_DTLS_TRANSPORT_STATE_FAILED:
      // Amid the handshake, as a rule; then there was no connection that anything came over.
      if (status.remote_certificate.empty()) return verdict_;
      break;
    case GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTED:
    case GST_WEBRTC_DTLS_TRANSPORT_STATE_CLOSED:
      break;
  }
  return compare(status.remote_certificate);
}

DtlsCheck::Verdict DtlsCheck::data_came(const DtlsStatus& status) {
  return compare(status.remote_certificate);
}

DtlsCheck::Verdict DtlsCheck::compare(const std::string& certificate) {
  if (verdict_ != Verdict::kOpen) return verdict_;
  const bool announced = std::ranges::any_of(fingerprints_, [&](const std::string& fingerprint) {
    return matches_fingerprint(certificate, fingerprint);
  });
  verdict_ = announced ? Verdict::kTrusted : Verdict::kUntrusted;
  return verdict_;
}

}  // namespace webrtcupload
