// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/dtls_check.h"

#include "webrtc/fingerprint.h"
#include "webrtc/transports.h"

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

bool DtlsCheck::passes(const DtlsStatus& status) {
  if (status.state != GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTED) return true;
  if (std::exchange(checked_, true)) return true;
  return matches_fingerprint(status.remote_certificate, fingerprint_);
}

}  // namespace webrtcupload
