// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/sink_protocol.h"

#include "core/wire_v2.h"

namespace webrtcupload {

GType sink_protocol_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(SinkProtocol::kAuto), "As the channel says, otherwise v1", "auto"},
      {static_cast<int>(SinkProtocol::kV1), "Numbered chunks", "v1"},
      {static_cast<int>(SinkProtocol::kV2), "Checked blocks, and answers of the receiver", "v2"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstWebrtcUploadSinkProtocol", values);
  return type;
}

bool speaks_v2(SinkProtocol wanted, const std::string& protocol_field, std::string& problem) {
  const bool is_v2 = protocol_field == kV2Protocol;
  if (wanted != SinkProtocol::kAuto && is_v2 != speaks_v2(wanted)) {
    problem = "The protocol field of the data channel is \"" + protocol_field +
              "\", with which its receiver expects wire format " + (is_v2 ? "v2" : "v1") +
              "; the property \"protocol\" is " + (is_v2 ? "v1" : "v2") + ".";
  }
  return is_v2;
}

bool speaks_v2(SinkProtocol wanted) { return wanted == SinkProtocol::kV2; }

}  // namespace webrtcupload
