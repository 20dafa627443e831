// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which wire format a webrtcuploadsink speaks.

#pragma once

#include <glib-object.h>

#include <string>

namespace webrtcupload {

// The values of the property "protocol".
enum class SinkProtocol { kAuto, kV1, kV2 };
[[nodiscard]] GType sink_protocol_type();

// Over a channel of the application's, which has told the peer by its protocol field what is spoken
// over it. `problem` is for a person, when that contradicts `wanted`.
[[nodiscard]] bool speaks_v2(SinkProtocol wanted, const std::string& protocol_field,
                             std::string& problem);
// Over one that the element makes.
[[nodiscard]] bool speaks_v2(SinkProtocol wanted);

}  // namespace webrtcupload
