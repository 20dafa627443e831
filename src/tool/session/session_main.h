// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload session`: the process of one session, started by `webrtc-upload serve`. Its
// configuration is the first line of its standard input, whose end tells it to stop; it says on its
// standard output what tool/session_types.h describes.

#pragma once

namespace webrtcupload {

int session_main();

}  // namespace webrtcupload
