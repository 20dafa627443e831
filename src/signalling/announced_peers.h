// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The further connections of webrtcuploadserver's peer, of which the application is told as of its
// first one.

#pragma once

#include <glib.h>

#include <functional>

#include "signalling/further_peers.h"
#include "signalling/upload_server.h"

namespace webrtcupload {

// `tell` runs what it is given where the application is told things; it has to live as long as the
// peers. `context` is theirs.
[[nodiscard]] FurtherPeers::Events announced_peers(GMainContext* context,
                                                   const UploadServer::Events& server,
                                                   std::function<void(std::function<void()>)> tell);

}  // namespace webrtcupload
