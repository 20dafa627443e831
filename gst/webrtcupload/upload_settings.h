// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties of webrtcupload that are settings of an upload: limits, times, the spool, the
// backlog, what may be decoded.

#pragma once

#include "glib/settings_properties.h"
#include "upload/upload_source.h"

namespace webrtcupload {

void add_upload_settings(SettingsProperties<UploadSource::Settings>& properties);

}  // namespace webrtcupload
