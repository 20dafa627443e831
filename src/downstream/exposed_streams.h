// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which kinds of streams the decoders of a pipeline found in a film, and whether the pipeline has
// use for one of them: why nothing came out of a film that is not broken.

#pragma once

#include <gst/gst.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/mutex.h"
#include "downstream/error_for_client.h"
#include "glib/signal_connection.h"

namespace webrtcupload {

class ExposedStreams : public std::enable_shared_from_this<ExposedStreams> {
 public:
  // Before the pipeline starts: every decodebin and decodebin3 in it. What links their pads has to
  // be connected before.
  void watch(GstElement* pipeline);
  // From the bus' sync handler: decoders that are missing.
  void add_message(GstMessage* message);

  // Any thread: what the film has, if the pipeline could use none of it.
  [[nodiscard]] std::optional<ClientError> why_unused() const;

 private:
  void add(GstPad* pad);

  std::vector<SignalConnection> connections_;
  mutable Mutex mutex_;  // A leaf.
  bool has_video_ GUARDED_BY(mutex_) = false;
  bool has_audio_ GUARDED_BY(mutex_) = false;
  bool is_used_ GUARDED_BY(mutex_) = false;
  // As GStreamer describes them, such as "H.265 (Main Profile) decoder".
  std::vector<std::string> missing_ GUARDED_BY(mutex_);
};

}  // namespace webrtcupload
