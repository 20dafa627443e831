// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload send FILE --to URL`: uploads a file, shows how far it is, and waits until the
// other side has said that it is done with it.

#pragma once

namespace webrtcupload {

// The exit status. `argv` begins with "send".
int send_main(int argc, char** argv);

}  // namespace webrtcupload
