// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties of webrtcresultsink that are settings of a ResultSender: what a result is called,
// how far results may run ahead of the peer, how long the ends wait.

#pragma once

#include "glib/settings_properties.h"
#include "results/result_sender.h"

namespace webrtcupload {

void add_result_settings(SettingsProperties<ResultSettings>& properties);

}  // namespace webrtcupload
