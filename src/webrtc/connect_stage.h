// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How far a connection has come. Whoever gives up waiting for it says what it waited for: only one
// of these steps is the network's affair.

#pragma once

#include <gst/gst.h>

#include <string>

namespace webrtcupload {

// What has not come about yet. Each needs the one before.
enum class ConnectStage {
  kIce,      // A pair of addresses over which packets come and go.
  kDtls,     // The encryption.
  kSctp,     // The data channels' association.
  kChannel,  // A data channel, and what comes over it.
};

// Reads webrtcbin's properties: not under the PC lock.
[[nodiscard]] ConnectStage connect_stage(GstElement* webrtcbin);

// A sentence's part about what has not come about, for a person. `peer` is who is at the other end:
// "client" or "server". Of kChannel it says that no channel opened.
[[nodiscard]] std::string missing_at(ConnectStage stage, const std::string& peer);

}  // namespace webrtcupload
