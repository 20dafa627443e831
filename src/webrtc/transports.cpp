// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/transports.h"

namespace webrtcupload {
namespace {

GObjectPtr<GObject> get_object(gpointer owner, const char* property) {
  GObject* value = nullptr;
  g_object_get(owner, property, &value, nullptr);
  return GObjectPtr<GObject>(value);
}

}  // namespace

GObjectPtr<GObject> sctp_transport_of(GstElement* webrtcbin) {
  return get_object(webrtcbin, "sctp-transport");
}

GObjectPtr<GObject> transport_below(GObject* upper) {
  return upper ? get_object(upper, "transport") : nullptr;
}

GObjectPtr<GObject> dtls_transport_of(GstElement* webrtcbin) {
  return transport_below(sctp_transport_of(webrtcbin).get());
}

}  // namespace webrtcupload
