// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Room in the kernel for what arrives while webrtcbin is busy.

#pragma once

#include <gst/gst.h>

#include <optional>

namespace webrtcupload {

// Sets SO_RCVBUF of every UDP socket of `webrtcbin`'s streams to `bytes` (with SO_RCVBUFFORCE where
// we may, else as far as net.core.rmem_max lets). Returns the smallest size the kernel granted (as
// getsockopt() tells it, which on Linux is twice what was asked for), or nothing when no socket was
// found. Not under the PC lock.
std::optional<int> grow_receive_buffers(GstElement* webrtcbin, int bytes);

}  // namespace webrtcupload
