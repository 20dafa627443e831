// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Properties that say which data channel an element uses are the same in all elements that use one.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/gst_test.h"

namespace webrtcupload::test {
namespace {

constexpr const char* kElements[] = {"webrtcupload", "webrtcuploadsink", "webrtcresultsink"};
constexpr const char* kProperties[] = {"data-channel", "webrtcbin", "webrtcbin-name",
                                       "channel-label"};

GstPtr<GstElement> make(const char* factory) {
  GstElement* element = gst_element_factory_make(factory, nullptr);
  EXPECT_TRUE(element) << factory;
  return GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(element)));
}

std::string string_of(GstElement* element, const char* property) {
  char* raw = nullptr;
  g_object_get(element, property, &raw, nullptr);
  const GCharPtr value(raw);
  return value ? value.get() : "(null)";
}

TEST(ChannelProperties, AreDescribedInTheSameWords) {
  const auto first = make(kElements[0]);
  for (const char* name : kProperties) {
    GParamSpec* expected = g_object_class_find_property(G_OBJECT_GET_CLASS(first.get()), name);
    ASSERT_TRUE(expected) << name;
    for (const char* factory : kElements) {
      const auto element = make(factory);
      GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), name);
      ASSERT_TRUE(spec) << factory << " " << name;
      EXPECT_EQ(G_PARAM_SPEC_VALUE_TYPE(spec), G_PARAM_SPEC_VALUE_TYPE(expected)) << factory;
      EXPECT_STREQ(g_param_spec_get_nick(spec), g_param_spec_get_nick(expected)) << factory;
      EXPECT_STREQ(g_param_spec_get_blurb(spec), g_param_spec_get_blurb(expected)) << factory;
      EXPECT_EQ(spec->flags & G_PARAM_READWRITE, G_PARAM_READWRITE) << factory << " " << name;
      // Only webrtcresultsink can take a channel while it runs.
      const bool any_time = std::string(name) == "data-channel" && factory == kElements[2];
      EXPECT_EQ((spec->flags & GST_PARAM_MUTABLE_PLAYING) != 0, any_time) << factory << " " << name;
      EXPECT_EQ((spec->flags & GST_PARAM_MUTABLE_READY) != 0, !any_time) << factory << " " << name;
    }
  }
}

TEST(ChannelProperties, HaveTheSameDefaultsButForTheChannelsOwnLabel) {
  for (const char* factory : kElements) {
    const auto element = make(factory);
    gpointer channel = element.get();
    gpointer webrtcbin = element.get();
    g_object_get(element.get(), "data-channel", &channel, "webrtcbin", &webrtcbin, nullptr);
    EXPECT_EQ(channel, nullptr) << factory;
    EXPECT_EQ(webrtcbin, nullptr) << factory;
    EXPECT_EQ(string_of(element.get(), "webrtcbin-name"), "(null)") << factory;
    const char* label = factory == kElements[2] ? "inference" : "video_upload";
    EXPECT_EQ(string_of(element.get(), "channel-label"), label) << factory;
  }
}

TEST(ChannelProperties, KeepWhatTheyAreGivenAndForgetItWithNull) {
  for (const char* factory : kElements) {
    const auto element = make(factory);
    const auto webrtcbin = make("webrtcbin");
    const std::string label = string_of(element.get(), "channel-label");
    g_object_set(element.get(), "webrtcbin", webrtcbin.get(), "webrtcbin-name", "pc",
                 "channel-label", "other", nullptr);
    GstElement* raw = nullptr;
    g_object_get(element.get(), "webrtcbin", &raw, nullptr);
    EXPECT_EQ(GstPtr<GstElement>(raw), webrtcbin) << factory;
    EXPECT_EQ(string_of(element.get(), "webrtcbin-name"), "pc") << factory;
    EXPECT_EQ(string_of(element.get(), "channel-label"), "other") << factory;

    g_object_set(element.get(), "webrtcbin", nullptr, "webrtcbin-name", nullptr, "channel-label",
                 nullptr, nullptr);
    g_object_get(element.get(), "webrtcbin", &raw, nullptr);
    EXPECT_EQ(raw, nullptr) << factory;
    EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(webrtcbin.get()), 1) << factory;
    EXPECT_EQ(string_of(element.get(), "webrtcbin-name"), "(null)") << factory;
    EXPECT_EQ(string_of(element.get(), "channel-label"), label) << factory;
  }
}

TEST(ChannelProperties, AWrongElementIsNamedInTheSameWords) {
  for (const char* factory : kElements) {
    const auto element = make(factory);
    const auto other = make("identity");
    const GstPtr<GstElement> pipeline(gst_pipeline_new(nullptr));
    gst_bin_add(GST_BIN(pipeline.get()), element.get());
    g_object_set(element.get(), "webrtcbin", other.get(), nullptr);
    BusLog bus(pipeline.get());
    gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
    const auto error = bus.wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error) << factory;
    EXPECT_EQ(error_text(error.get()).message,
              std::string("The property \"webrtcbin\" holds the element \"") +
                  GST_OBJECT_NAME(other.get()) + "\", which is a GstIdentity and not a webrtcbin.")
        << factory;
    stop_promptly(pipeline.get());
  }
}

}  // namespace
}  // namespace webrtcupload::test
