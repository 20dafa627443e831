// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A connection of which libsoup reads one request and no more. What comes behind that, and what
// comes of a request that is refused, is read and thrown away.

#pragma once

#include <gio/gio.h>

#include <functional>
#include <memory>

#include "glib/glib_ptr.h"
#include "signalling/request_framing.h"

namespace webrtcupload {

// `refused` is called once, within a read, if `framing` refuses the request; whoever reads sees
// nothing of that. All on one thread.
[[nodiscard]] GObjectPtr<GIOStream> make_request_stream(GIOStream* connection,
                                                        std::shared_ptr<RequestFraming> framing,
                                                        std::function<void()> refused);

}  // namespace webrtcupload
