// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps a film within its limits while it is demuxed and decoded, whatever the pipeline is made of:
// looks at what passes the pads of demuxers, parsers and decoders that a source feeds, those that
// are added later included, before they do. What exceeds a limit does not get through.

#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>

#include "core/film_limits.h"
#include "glib/signal_connection.h"

namespace webrtcupload {

class FilmWatch {
 public:
  // Once, on a streaming thread, with a reference on the source held. Must not wait for that
  // thread.
  using OnExceeded = std::function<void(const Error&)>;

  // Of the outermost bin that `source` is in now.
  FilmWatch(GstElement* source, const FilmLimits& limits, OnExceeded exceeded);
  // OnExceeded may still be running.
  ~FilmWatch();
  FilmWatch(const FilmWatch&) = delete;
  FilmWatch& operator=(const FilmWatch&) = delete;

 private:
  struct State;

  const std::shared_ptr<State> state_;
  SignalConnection element_added_;
};

}  // namespace webrtcupload
