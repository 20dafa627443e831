// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties of webrtcuploadsink that are settings of an upload: sizes, times, what is checked.

#pragma once

#include "glib/settings_properties.h"
#include "sending/sender_settings.h"

namespace webrtcupload {

void add_sink_settings(SettingsProperties<SenderSettings>& properties);

}  // namespace webrtcupload
