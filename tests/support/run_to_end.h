// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pipelines that end by themselves, such as one that writes a film.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "glib/glib_ptr.h"
#include "support/wait.h"

namespace webrtcupload::test {

// Waits until a pipeline that plays has ended. Whether it has without an error; what the error says
// otherwise. Reads the pipeline's bus, which nobody else may read.
[[nodiscard]] inline testing::AssertionResult wait_for_end(GstElement* pipeline) {
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline));
  const GstMessagePtr end(
      gst_bus_timed_pop_filtered(bus.get(), std::chrono::nanoseconds(kDeadline).count(),
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  if (!end) return testing::AssertionFailure() << "neither EOS nor an error came";
  if (GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_EOS) return testing::AssertionSuccess();
  GError* error = nullptr;
  char* debug = nullptr;
  gst_message_parse_error(end.get(), &error, &debug);
  const GErrorPtr owned_error(error);
  const GCharPtr owned_debug(debug);
  return testing::AssertionFailure() << error->message << " (" << (debug ? debug : "") << ")";
}

// Plays a pipeline to its end and stops it.
[[nodiscard]] inline testing::AssertionResult run_to_end(GstElement* pipeline) {
  if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return testing::AssertionFailure() << "the pipeline does not start";
  }
  auto result = wait_for_end(pipeline);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  return result;
}

// The same with a pipeline as for gst-launch.
[[nodiscard]] inline testing::AssertionResult run_to_end(const std::string& description) {
  GError* error = nullptr;
  GstElement* pipeline =
      gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  const GErrorPtr owned_error(error);
  const GstPtr<GstElement> owned(pipeline ? GST_ELEMENT(gst_object_ref_sink(pipeline)) : nullptr);
  if (error) return testing::AssertionFailure() << error->message;
  return run_to_end(pipeline);
}

}  // namespace webrtcupload::test
