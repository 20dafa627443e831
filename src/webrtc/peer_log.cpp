// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/peer_log.h"

#include <string_view>

#include "glib/debug.h"
#include "glib/enum_nick.h"

#define GST_CAT_DEFAULT webrtcupload::debug::peer()

namespace webrtcupload {

void log_state(GstElement* webrtcbin, const char* property) {
  GST_INFO_OBJECT(webrtcbin, "%s: %s", property, enum_nick(G_OBJECT(webrtcbin), property).c_str());
}

void log_dtls_state(GstElement* webrtcbin, GstWebRTCDTLSTransportState state) {
  GST_INFO_OBJECT(webrtcbin, "DTLS: %s",
                  enum_nick(GST_TYPE_WEBRTC_DTLS_TRANSPORT_STATE, state).c_str());
}

void log_channel(GstElement* webrtcbin, const std::string& label, std::size_t count,
                 std::size_t most) {
  // Beyond that a peer that opens thousands would fill the log.
  if (count > most + 1) return;
  GST_DEBUG_OBJECT(webrtcbin, "the peer has opened channel %s, number %u of %u at most%s",
                   debug::quote(label).c_str(), static_cast<guint>(count), static_cast<guint>(most),
                   count > most ? ": nothing more is received" : "");
}

void log_candidates(GstElement* webrtcbin, const std::string& sdp) {
  constexpr std::string_view kCandidate = "a=candidate:";
  guint count = 0;
  for (std::size_t at = 0; (at = sdp.find(kCandidate, at)) != std::string::npos; ++at) ++count;
  GST_DEBUG_OBJECT(webrtcbin, "a description of %u bytes with %u candidates is handed out",
                   static_cast<guint>(sdp.size()), count);
}

void log_verdict(GstElement* webrtcbin, DtlsCheck::Verdict verdict, bool data_came) {
  switch (verdict) {
    case DtlsCheck::Verdict::kOpen:
      GST_LOG_OBJECT(webrtcbin, "the peer's certificate is not compared: DTLS has not come about");
      break;
    case DtlsCheck::Verdict::kTrusted:
      GST_DEBUG_OBJECT(webrtcbin,
                       "the peer's certificate is compared: its description has announced it");
      break;
    case DtlsCheck::Verdict::kUntrusted:
      GST_WARNING_OBJECT(webrtcbin, "the peer's certificate is compared%s: %s",
                         data_came ? ", since something has come" : "", DtlsCheck::kWhyUntrusted);
      break;
  }
}

}  // namespace webrtcupload
