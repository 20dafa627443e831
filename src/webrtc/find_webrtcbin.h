// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How an element that is given a webrtcbin, or only its name, finds and checks it. One place, so
// that every element says the same thing when it cannot.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// The outermost bin around `self`, or `self` when it is in none.
[[nodiscard]] GstPtr<GstObject> outermost_parent(GstElement* self);

// Whether `element` is a webrtcbin (or does what one does: bins that wrap one and forward its
// signals count).
[[nodiscard]] bool is_webrtcbin(GstElement* element);

// The element called `name` in the outermost bin that `self` is in, at any depth. Null if there is
// none or if it is not a webrtcbin; `problem` then says so in a sentence that holds the name.
[[nodiscard]] GstPtr<GstElement> find_webrtcbin(GstElement* self, const char* name,
                                                std::string& problem);

// For an element with the properties "webrtcbin", whose value is in `webrtcbin` (or null), and
// "webrtcbin-name", whose value is `name`: puts the one they mean into `webrtcbin`, or null if both
// are unset. False if they mean none; an error has then been posted for `self`.
[[nodiscard]] bool resolve_webrtcbin(GstElement* self, const std::string& name,
                                     GstPtr<GstElement>& webrtcbin);

// The first webrtcuploadserver in the outermost bin that `self` is in, or null.
[[nodiscard]] GstPtr<GstElement> find_upload_server(GstElement* self);

// Whether the bin that changes the state of `self` is changing to READY or NULL just now: the
// outermost one, or the last one on the way there whose state is not locked, or `self` alone. What
// looks like a peer that went away is then our own pipeline being taken down, element by element.
[[nodiscard]] bool is_shutting_down(GstElement* self);
// Such a change may fail, and nothing tells of that. So who has seen its peer leave meanwhile looks
// again so often, and tells of the peer's end as soon as no such change is under way.
inline constexpr std::chrono::milliseconds kShutdownInterval{500};

}  // namespace webrtcupload
