// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How long webrtcuploadserver waits for a client that has lost its connection, unless the
// application says it: not at all where a signaller brings the offers, since those make no further
// connections.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <memory>

#include "glib/signal_connection.h"

namespace webrtcupload {

class ResumeChoice {
 public:
  // The element whose property it is, which has to live as long.
  explicit ResumeChoice(GstElement* upload);

  // Before the element goes to PAUSED.
  void choose(bool has_signaller);

 private:
  GstElement* const upload_;
  // The application has set the property, on whichever of the two elements.
  const std::shared_ptr<std::atomic<bool>> given_ = std::make_shared<std::atomic<bool>>(false);
  const SignalConnection on_set_;
};

}  // namespace webrtcupload
