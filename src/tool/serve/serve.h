// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve`: takes uploads over HTTP signalling and WebRTC, each in a session of its
// own, and prints what the sessions say.

#pragma once

namespace webrtcupload {

// The exit status. `arguments` are those after "serve", in argv form.
int serve_main(int argc, char** argv);

}  // namespace webrtcupload
