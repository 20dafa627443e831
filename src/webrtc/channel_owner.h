// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which webrtcbin a data channel belongs to. A channel does not say, does not keep it alive, and up
// to GStreamer 1.22 uses it by a pointer that nothing keeps valid: to close a channel whose
// webrtcbin has gone may end the program.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <chrono>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// Notes the owner of each channel that any webrtcbin of this program announces from now on. Once is
// enough, again does nothing. On any thread. That includes those that the program itself makes
// ("create-data-channel").
void watch_channel_owners();

// Takes no lock of webrtcbin's.
struct ChannelOwner {
  // It was announced while owners were watched.
  bool is_known = false;
  // Null when it is not known, or has gone.
  GstPtr<GstElement> webrtcbin;

  // The channel can neither send nor be closed any more.
  [[nodiscard]] bool has_gone() const { return is_known && !webrtcbin; }
};
[[nodiscard]] ChannelOwner owner_of(GstWebRTCDataChannel* channel);
// Who waits for a channel whose webrtcbin it does not keep has to look so often whether that has
// gone: nothing tells of it.
inline constexpr std::chrono::milliseconds kOwnerInterval{500};
// Why nothing is sent, for a person.
inline constexpr const char* kOwnerHasGone = "the webrtcbin of the data channel has gone";

}  // namespace webrtcupload
