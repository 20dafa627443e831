// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The action prepare-stop: what a webrtcbin of the application's needs before it is stopped. The
// same one for each element that uses a webrtcbin.

#pragma once

#include <glib-object.h>

namespace webrtcupload {

void install_prepare_stop(GObjectClass* object_class);

}  // namespace webrtcupload
