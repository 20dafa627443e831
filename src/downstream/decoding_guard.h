// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sees to it that nothing behind an upload opens sources of its own: no playlist is followed,
// whatever elements the pipeline chooses by itself.

#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "downstream/element_kinds.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"

namespace webrtcupload {

// Watches the pipeline that an upload's element is in. It looks twice. First where decodebin,
// parsebin and their like ask which element is next: those of a kind that is refused are skipped,
// and the caps of a playlist are the end. Then at every element that is made inside of them: one of
// such a kind, made without asking, is kept from starting, and is the end as well.
//
// Only what is made for the upload's data is looked at. What is in the pipeline when it starts, or
// is added outside of autopluggers, is the application's own choice, and so is whatever such an
// element makes inside itself.
class DecodingGuard {
 public:
  // Why the upload is no good. On the thread that was about to make the element, as a rule a
  // streaming thread; without a lock, and with the upload's element held. May be called more than
  // once.
  using OnRefused = std::function<void(GstElement* upload, const std::string& why)>;

  DecodingGuard(GstElement* upload, OnRefused on_refused);
  ~DecodingGuard();
  DecodingGuard(const DecodingGuard&) = delete;
  DecodingGuard& operator=(const DecodingGuard&) = delete;

  // From now on guards the outermost bin that the upload is in, with this policy. May be called
  // again, after elements have been moved. On the thread that changes the upload's state.
  void watch(ElementPolicy policy);
  void stop();

 private:
  class Watch;

  const std::shared_ptr<Watch> watch_;
};

}  // namespace webrtcupload
