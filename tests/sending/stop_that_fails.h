// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pipeline that an application cannot stop.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <future>

#include "glib/glib_ptr.h"
#include "support/gst_test.h"

namespace webrtcupload::test {

// Which state it is on its way to, on any thread.
inline GstState target_state(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const GstState target = GST_STATE_TARGET(element);
  GST_OBJECT_UNLOCK(element);
  return target;
}

// A pipeline on its way down that never gets there: the turn of a sink of this object's comes
// first. It takes its time, and then cannot stop.
class StopThatFails {
 public:
  StopThatFails(GstElement* pipeline, const char* where)
      : pipeline_(pipeline), sink_(gst_element_factory_make("fakesink", nullptr)) {
    gst_object_ref_sink(sink_.get());
    gst_util_set_object_arg(G_OBJECT(sink_.get()), "state-error", where);
    g_object_set(sink_.get(), "async", FALSE, nullptr);
    EXPECT_TRUE(gst_bin_add(GST_BIN(pipeline), sink_.get()));
  }
  // So that it can be freed.
  ~StopThatFails() { gst_util_set_object_arg(G_OBJECT(sink_.get()), "state-error", "none"); }
  StopThatFails(const StopThatFails&) = delete;
  StopThatFails& operator=(const StopThatFails&) = delete;

  // For what the pipeline's own end waits for. The pad is deactivated when the stop has failed.
  void end() {
    gst_element_post_message(sink_.get(), gst_message_new_eos(GST_OBJECT(sink_.get())));
  }

  // A change that is begun, and then fails; on one thread, both.
  void begin() {
    GST_STATE_LOCK(sink_.get());
    stopped_ = std::async(std::launch::async,
                          [this] { return gst_element_set_state(pipeline_, GST_STATE_READY); });
    EXPECT_TRUE(eventually([this] { return target_state(pipeline_) == GST_STATE_READY; }));
  }
  void fail() {
    GST_STATE_UNLOCK(sink_.get());
    EXPECT_EQ(stopped_.get(), GST_STATE_CHANGE_FAILURE);
  }

 private:
  GstElement* const pipeline_;
  GstPtr<GstElement> sink_;
  std::future<GstStateChangeReturn> stopped_;
};

}  // namespace webrtcupload::test
