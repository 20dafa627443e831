// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/plugging_wait.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "glib/glib_ptr.h"
#include "support/wait.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;

bool never() { return false; }

// A pipeline with a source, and an element in a bin of the given kind, which may be in another.
class PluggingWait : public ::testing::TestWithParam<std::string> {
 protected:
  void make(const std::string& factory, bool nested = false) {
    pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
    source_ = gst_element_factory_make("fakesrc", nullptr);
    GstElement* bin = gst_element_factory_make(factory.c_str(), nullptr);
    ASSERT_TRUE(bin);
    plugged_ = gst_element_factory_make("identity", nullptr);
    ASSERT_TRUE(gst_bin_add(GST_BIN(bin), plugged_));
    if (nested) {
      GstElement* outer = gst_bin_new(nullptr);
      gst_bin_add(GST_BIN(outer), bin);
      bin = outer;
    }
    gst_bin_add_many(GST_BIN(pipeline_.get()), source_, bin, nullptr);
  }

  GstPtr<GstElement> pipeline_;
  GstElement* source_ = nullptr;
  GstElement* plugged_ = nullptr;
};

TEST_P(PluggingWait, SeesAnElementThatIsBeingStarted) {
  for (const bool nested : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(make(GetParam(), nested));
    EXPECT_TRUE(is_plugged(source_));
    gst_element_set_locked_state(plugged_, TRUE);
    EXPECT_FALSE(is_plugged(source_)) << nested;
    gst_element_set_locked_state(plugged_, FALSE);
    EXPECT_TRUE(is_plugged(source_));
  }
}

TEST_P(PluggingWait, EndsWhenItIs) {
  ASSERT_NO_FATAL_FAILURE(make(GetParam()));
  gst_element_set_locked_state(plugged_, TRUE);
  auto waited =
      std::async(std::launch::async, [&] { wait_until_plugged(source_, never, test::kDeadline); });
  EXPECT_EQ(waited.wait_for(milliseconds(50)), std::future_status::timeout);
  gst_element_set_locked_state(plugged_, FALSE);
  EXPECT_EQ(waited.wait_for(test::kDeadline), std::future_status::ready);
}

TEST_P(PluggingWait, CanBeGivenUp) {
  ASSERT_NO_FATAL_FAILURE(make(GetParam()));
  gst_element_set_locked_state(plugged_, TRUE);
  int asked = 0;
  wait_until_plugged(
      source_, [&asked] { return ++asked == 3; }, 10 * test::kDeadline);
  EXPECT_EQ(asked, 3);
}

TEST_P(PluggingWait, DoesNotLastForEver) {
  ASSERT_NO_FATAL_FAILURE(make(GetParam()));
  gst_element_set_locked_state(plugged_, TRUE);
  wait_until_plugged(source_, never, milliseconds(10));
  EXPECT_FALSE(is_plugged(source_));
}

INSTANTIATE_TEST_SUITE_P(All, PluggingWait,
                         ::testing::Values("decodebin", "parsebin", "decodebin3"),
                         [](const auto& named) { return named.param; });

// Applications lock states as well.
TEST_F(PluggingWait, IsNotConcernedWithOtherBins) {
  make("bin");
  gst_element_set_locked_state(plugged_, TRUE);
  gst_element_set_locked_state(source_, TRUE);
  EXPECT_TRUE(is_plugged(source_));
}

TEST_F(PluggingWait, NeedsNoPipeline) {
  const GstPtr<GstElement> alone(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("fakesrc", nullptr))));
  EXPECT_TRUE(is_plugged(alone.get()));
}

}  // namespace
}  // namespace webrtcupload
