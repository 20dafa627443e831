// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gst/gst.h>

namespace webrtcupload {

// GST_PAD_IS_FLUSHING with the lock that protects a pad's flags: other threads change others of
// them in the same word at any time.
[[nodiscard]] inline bool is_flushing(GstPad* pad) {
  GST_OBJECT_LOCK(pad);
  const bool flushing = GST_PAD_IS_FLUSHING(pad);
  GST_OBJECT_UNLOCK(pad);
  return flushing;
}

}  // namespace webrtcupload
