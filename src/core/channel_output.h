// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an upload in wire format v2 sends over its channels, on either side, beside the file's
// bytes.

#pragma once

#include <cstdint>
#include <optional>

#include "core/control.h"

namespace webrtcupload {

// The caller's name for a channel. Each has another one.
using ChannelId = std::uint64_t;

struct Output {
  ChannelId channel = 0;
  // To be sent. Nothing: the channel is to be closed, when what was sent before has left; what
  // still comes over it, and its end, is of no matter.
  std::optional<ControlMessage> message;
};

}  // namespace webrtcupload
