// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether an autoplugger is amid its work. decodebin and parsebin drop the errors of an element
// from before it is started until they have unlocked its state. A demuxer that pulls reads on a
// thread of its own, which begins a moment before that: if its very first bytes are an error to it,
// nobody hears of it, and the pipeline waits for ever.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <functional>

namespace webrtcupload {

// No autoplugger in the pipeline of `element` is starting an element right now.
[[nodiscard]] bool is_plugged(GstElement* element);

// Waits until that is so, or until `given_up` says so. Not on a thread that an autoplugger may be
// waiting for, and for not longer than that: an application may lock whatever it likes.
void wait_until_plugged(
    GstElement* element, const std::function<bool()>& given_up = [] { return false; },
    std::chrono::milliseconds longest = std::chrono::seconds(1));

}  // namespace webrtcupload
