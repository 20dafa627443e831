// SPDX-License-Identifier: LGPL-2.1-or-later

#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "support/gst_test.h"

namespace webrtcupload::test {

// A webrtcresultsink behind an appsrc: the test pushes each buffer, and the end, itself.
class ResultPipeline {
 public:
  // `properties` of webrtcresultsink as in a launch line.
  explicit ResultPipeline(const std::string& properties = "")
      : pipeline_(parse_pipeline("appsrc name=source format=time caps=\"text/x-raw,format=utf8\" "
                                 "! webrtcresultsink name=results sync=false async=false " +
                                 properties)),
        source_(element_named(pipeline_, "source")),
        sink_(element_named(pipeline_, "results")),
        bus_(std::make_unique<BusLog>(pipeline_.get())) {}
  ~ResultPipeline() { stop(); }
  ResultPipeline(const ResultPipeline&) = delete;
  ResultPipeline& operator=(const ResultPipeline&) = delete;

  [[nodiscard]] GstElement* pipeline() const { return pipeline_.get(); }
  [[nodiscard]] GstElement* sink() const { return sink_.get(); }
  [[nodiscard]] BusLog& bus() { return *bus_; }
  [[nodiscard]] GstStateChangeReturn play() {
    return gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  }
  void push(const char* text) {
    const GstBufferPtr buffer(gst_buffer_new_wrapped(g_strdup(text), std::strlen(text)));
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source_.get(), "push-buffer", buffer.get(), &flow);
    EXPECT_EQ(flow, GST_FLOW_OK);
  }
  void end() {
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source_.get(), "end-of-stream", &flow);
    EXPECT_EQ(flow, GST_FLOW_OK);
  }
  void stop() { stop_promptly(pipeline_.get()); }
  [[nodiscard]] guint64 stat(const char* field) const {
    GstStructure* raw = nullptr;
    g_object_get(sink_.get(), "stats", &raw, nullptr);
    const GstStructurePtr stats(raw);
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(stats.get(), field, &value)) << field;
    return value;
  }

 private:
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> source_;
  GstPtr<GstElement> sink_;
  std::unique_ptr<BusLog> bus_;
};

}  // namespace webrtcupload::test
