// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A data channel of a webrtcbin that has no peer: the test causes what a peer would.

#pragma once

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include "glib/weak_ref.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"

// Of webrtcbin's own, without a header for others.
extern "C" void gst_webrtc_data_channel_on_open(GstWebRTCDataChannel* channel);
extern "C" void gst_webrtc_data_channel_on_close(GstWebRTCDataChannel* channel);
extern "C" void gst_webrtc_data_channel_on_message_data(GstWebRTCDataChannel* channel,
                                                        GBytes* data);
extern "C" void gst_webrtc_data_channel_on_message_string(GstWebRTCDataChannel* channel,
                                                          const char* text);

namespace webrtcupload::test {

// A webrtcbin without a peer, and a channel that it has made, and which can do without the former.
class ChannelAlone {
 public:
  explicit ChannelAlone(const char* label = "any")
      : webrtcbin_(gst_element_factory_make("webrtcbin", nullptr)) {
    gst_object_ref_sink(webrtcbin_.get());
    EXPECT_EQ(set_state(webrtcbin_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    GstWebRTCDataChannel* made = nullptr;
    g_signal_emit_by_name(webrtcbin_.get(), "create-data-channel", label, nullptr, &made);
    channel_.reset(made);
    EXPECT_TRUE(channel_);
  }
  ~ChannelAlone() {
    if (webrtcbin_) stop_promptly(webrtcbin_.get());
  }
  ChannelAlone(const ChannelAlone&) = delete;
  ChannelAlone& operator=(const ChannelAlone&) = delete;

  [[nodiscard]] GstElement* webrtcbin() const { return webrtcbin_.get(); }
  [[nodiscard]] GstWebRTCDataChannel* get() const { return channel_.get(); }
  // What a peer would cause.
  void open() { gst_webrtc_data_channel_on_open(channel_.get()); }
  void close() { gst_webrtc_data_channel_on_close(channel_.get()); }
  void receive(const Bytes& bytes) {
    const GBytesPtr message(g_bytes_new(bytes.data(), bytes.size()));
    gst_webrtc_data_channel_on_message_data(channel_.get(), message.get());
  }
  void receive(const char* text) {
    gst_webrtc_data_channel_on_message_string(channel_.get(), text);
  }
  // The application hands it, open, to one of our elements.
  void give_to(GstElement* element) {
    open();
    g_object_set(element, "data-channel", channel_.get(), nullptr);
  }
  // Nobody has closed it.
  void expect_untouched() const {
    GstWebRTCDataChannelState state{};
    g_object_get(channel_.get(), "ready-state", &state, nullptr);
    EXPECT_EQ(state, GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
  }
  void drop_webrtcbin() {
    stop_promptly(webrtcbin_.get());
    // The last reference may go on another thread.
    const WeakRef webrtcbin(webrtcbin_.get());
    webrtcbin_.reset();
    EXPECT_TRUE(eventually([&] { return !webrtcbin.lock(); })) << "somebody keeps it";
  }

 private:
  GstPtr<GstElement> webrtcbin_;
  GstPtr<GstWebRTCDataChannel> channel_;
};

}  // namespace webrtcupload::test
