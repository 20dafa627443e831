// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The action prepare-stop: an application stops a webrtcbin of its own that is in use.

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "glib/elements_in.h"
#include "glib/pad_flushing.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

class PrepareStopAction : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    GstElement* element = gst_element_factory_make(GetParam(), nullptr);
    ASSERT_TRUE(element);
    element_.reset(static_cast<GstElement*>(gst_object_ref_sink(element)));
  }
  [[nodiscard]] bool prepare_stop_of(GstElement* webrtcbin) const {
    gboolean done = FALSE;
    g_signal_emit_by_name(element_.get(), "prepare-stop", webrtcbin, &done);
    return done;
  }

  GstPtr<GstElement> element_;
};

INSTANTIATE_TEST_SUITE_P(Each, PrepareStopAction,
                         testing::Values("webrtcupload", "webrtcuploadsink", "webrtcresultsink"),
                         [](const auto& param) { return std::string(param.param); });

// Whether channels may still send into webrtcbin's encoder.
int linked_channels(GstElement* webrtcbin) {
  int count = 0;
  for (const auto& encoder : elements_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder)) {
    GST_OBJECT_LOCK(encoder.get());
    for (GList* item = encoder->sinkpads; item; item = item->next) {
      const GstPtr<GstPad> peer(gst_pad_get_peer(GST_PAD(item->data)));
      count += peer != nullptr;
    }
    GST_OBJECT_UNLOCK(encoder.get());
  }
  return count;
}

bool receives(GstElement* webrtcbin) {
  const auto decoder = element_made_by(GST_BIN(webrtcbin), inner::kSctpDecoder);
  const GstPtr<GstPad> pad(gst_element_get_static_pad(decoder.get(), "sink"));
  return !is_flushing(pad.get());
}

// What an application may put around a webrtcbin: it forwards what others need of that, and nothing
// that they do not.
GstPtr<GstElement> make_bin_around(GstElement* webrtcbin) {
  static const GType type = [] {
    GTypeInfo info{};
    info.class_size = sizeof(GstBinClass);
    info.instance_size = sizeof(GstBin);
    info.class_init = [](gpointer klass, gpointer) {
      auto* object_class = G_OBJECT_CLASS(klass);
      object_class->get_property = [](GObject*, guint, GValue*, GParamSpec*) {};
      g_object_class_install_property(
          object_class, 1,
          g_param_spec_enum("connection-state", nullptr, nullptr,
                            GST_TYPE_WEBRTC_PEER_CONNECTION_STATE, 0, G_PARAM_READABLE));
      g_signal_new("on-data-channel", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_WEBRTC_DATA_CHANNEL);
      g_signal_new("create-data-channel", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, GST_TYPE_WEBRTC_DATA_CHANNEL, 2, G_TYPE_STRING,
                   GST_TYPE_STRUCTURE);
    };
    return g_type_register_static(GST_TYPE_BIN, "TestBinAroundWebrtcbin", &info, GTypeFlags(0));
  }();
  GstPtr<GstElement> bin(
      static_cast<GstElement*>(gst_object_ref_sink(g_object_new(type, nullptr))));
  EXPECT_TRUE(gst_bin_add(GST_BIN(bin.get()), webrtcbin));
  return bin;
}

// Both sides have much to send, and the peer goes on when the other one is prepared and stops. What
// is handed to a channel after that 1.22 leaks.
TEST_P(PrepareStopAction, AWebrtcbinInUseIsStopped) {
  constexpr int kRounds = 5;
  std::mt19937 random(7);
  for (int round = 0; round < kRounds; ++round) {
    PeerPair pair({.observe_incoming = true});
    const auto near = pair.connect();
    ASSERT_TRUE(near.channel);
    const auto far = pair.incoming(Side::kAnswerer);
    ASSERT_TRUE(far);
    std::atomic<int> sent = 0;
    std::atomic<bool> ends = false;
    std::atomic<bool> peer_ends = false;
    const auto flood = [&](GstWebRTCDataChannel* channel, const std::atomic<bool>& is_over) {
      const Bytes bytes = random_bytes(16'000);
      while (!is_over) {
        guint64 buffered = 0;
        g_object_get(channel, "buffered-amount", &buffered, nullptr);
        if (buffered > 500'000 || !send_bytes(channel, bytes)) {
          std::this_thread::yield();
        } else {
          ++sent;
        }
      }
    };
    auto one = std::async(std::launch::async, flood, near.channel.get(), std::cref(peer_ends));
    auto other = std::async(std::launch::async, flood, far->channel(), std::cref(ends));
    const int stop_at = static_cast<int>(random() % 100);
    EXPECT_TRUE(eventually([&] { return sent >= stop_at; }));
    ends = true;
    other.wait();

    GstElement* webrtcbin = pair.answerer();
    EXPECT_TRUE(receives(webrtcbin));
    EXPECT_EQ(linked_channels(webrtcbin), 1);
    EXPECT_TRUE(prepare_stop_of(webrtcbin));
    EXPECT_FALSE(receives(webrtcbin));
    EXPECT_EQ(linked_channels(webrtcbin), 0);
    EXPECT_TRUE(prepare_stop_of(webrtcbin)) << "once more does no harm";
    auto stopped = std::async(std::launch::async, [&] {
      return gst_element_set_state(pair.pipeline(Side::kAnswerer), GST_STATE_NULL);
    });
    EXPECT_EQ(stopped.wait_for(kDeadline), std::future_status::ready);
    EXPECT_EQ(stopped.get(), GST_STATE_CHANGE_SUCCESS);
    peer_ends = true;
  }
}

TEST_P(PrepareStopAction, OneThatHasNeverStartedNeedsNothing) {
  GstElement* webrtcbin = gst_element_factory_make("webrtcbin", nullptr);
  ASSERT_TRUE(webrtcbin);
  const GstPtr<GstElement> owned(static_cast<GstElement*>(gst_object_ref_sink(webrtcbin)));
  EXPECT_TRUE(prepare_stop_of(webrtcbin));
}

TEST_P(PrepareStopAction, ABinAroundOneIsLookedInto) {
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(pair.connect().channel);
  EXPECT_TRUE(receives(pair.answerer()));
  EXPECT_TRUE(prepare_stop_of(pair.pipeline(Side::kAnswerer)));
  EXPECT_FALSE(receives(pair.answerer()));
  EXPECT_EQ(linked_channels(pair.answerer()), 0);
}

// To ask the bin itself would be to emit a signal that it does not have, of which GLib warns.
TEST_P(PrepareStopAction, ABinThatForwardsLittleIsLookedInto) {
  const GstPtr<GstElement> bin = make_bin_around(gst_element_factory_make("webrtcbin", nullptr));
  constexpr const char* kDomain = "GLib-GObject";
  const auto fatal = static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK | G_LOG_LEVEL_WARNING);
  const GLogLevelFlags before = g_log_set_fatal_mask(kDomain, fatal);
  EXPECT_TRUE(prepare_stop_of(bin.get()));
  g_log_set_fatal_mask(kDomain, before);
}

TEST_P(PrepareStopAction, OtherElementsAreRefused) {
  const GstPtr<GstElement> other(
      static_cast<GstElement*>(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  EXPECT_FALSE(prepare_stop_of(other.get()));
  EXPECT_FALSE(prepare_stop_of(nullptr));
  EXPECT_FALSE(prepare_stop_of(element_.get()));
}

}  // namespace
}  // namespace webrtcupload::test
