// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/elements_in.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace webrtcupload {
namespace {

GstPtr<GstElement> make_bin(const char* factory, int count) {
  GstPtr<GstElement> bin(GST_ELEMENT(gst_object_ref_sink(gst_bin_new(nullptr))));
  for (int i = 0; i < count; ++i) {
    gst_bin_add(GST_BIN(bin.get()), gst_element_factory_make(factory, nullptr));
  }
  return bin;
}

TEST(ElementsMadeBy, AtAnyDepth) {
  const auto bin = make_bin("identity", 2);
  GstElement* inner = gst_bin_new(nullptr);
  gst_bin_add(GST_BIN(inner), gst_element_factory_make("identity", nullptr));
  gst_bin_add(GST_BIN(bin.get()), inner);
  EXPECT_EQ(elements_made_by(GST_BIN(bin.get()), "identity").size(), 3U);
  EXPECT_TRUE(elements_made_by(GST_BIN(bin.get()), "fakesink").empty());
  EXPECT_FALSE(element_made_by(GST_BIN(bin.get()), "fakesink"));
}

// Without a look at RESYNC some of these would find none, or one less.
TEST(ElementsMadeBy, WhileTheBinChanges) {
  const auto bin = make_bin("identity", 8);
  std::atomic<bool> over = false;
  std::thread changes([&] {
    while (!over) {
      GstElement* queue = gst_element_factory_make("queue", nullptr);
      gst_bin_add(GST_BIN(bin.get()), queue);
      gst_bin_remove(GST_BIN(bin.get()), queue);
    }
  });
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(elements_made_by(GST_BIN(bin.get()), "identity").size(), 8U) << i;
  }
  over = true;
  changes.join();
}

}  // namespace
}  // namespace webrtcupload
