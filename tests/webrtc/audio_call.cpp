// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/audio_call.h"

#include <gst/webrtc/webrtc.h>

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

constexpr char kCaps[] =
    "application/x-rtp,media=audio,encoding-name=PCMA,clock-rate=8000,payload=8";

GstPadProbeReturn count(GstPad*, GstPadProbeInfo*, gpointer arrived) {
  (*static_cast<std::shared_ptr<Count>*>(arrived))->raise();
  return GST_PAD_PROBE_OK;
}

// On a streaming thread of the webrtcbin.
void on_pad_added(GstElement* webrtcbin, GstPad* pad, std::shared_ptr<Count>* arrived) {
  if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, new std::shared_ptr<Count>(*arrived),
                    [](gpointer data) { delete static_cast<std::shared_ptr<Count>*>(data); });
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "async", FALSE, "sync", FALSE, nullptr);
  const GstPtr<GstObject> pipeline(gst_object_get_parent(GST_OBJECT(webrtcbin)));
  gst_bin_add(GST_BIN(pipeline.get()), sink);
  gst_element_sync_state_with_parent(sink);
  const GstPtr<GstPad> sink_pad(gst_element_get_static_pad(sink, "sink"));
  EXPECT_EQ(gst_pad_link(pad, sink_pad.get()), GST_PAD_LINK_OK);
}

}  // namespace

AudioCall::AudioCall(PeerPair& pair, Side sender) : pair_(pair), sender_(sender) {
  GError* error = nullptr;
  GstElement* source = gst_parse_bin_from_description(
      (std::string("audiotestsrc is-live=true ! alawenc ! rtppcmapay ! capsfilter caps=") + kCaps)
          .c_str(),
      TRUE, &error);
  EXPECT_TRUE(source) << error->message;
  g_clear_error(&error);
  pair.add(sender, source);
  EXPECT_TRUE(gst_element_link_pads(source, "src", pair.webrtcbin(sender), "sink_%u"));
  const Side receiver = sender == Side::kOfferer ? Side::kAnswerer : Side::kOfferer;
  on_pad_ =
      SignalConnection(pair.webrtcbin(receiver), "pad-added", G_CALLBACK(on_pad_added), arrived_);
}

void AudioCall::prepare() {
  if (sender_ == Side::kOfferer) return;
  const GstMiniPtr<GstCaps> caps(gst_caps_from_string(kCaps));
  GstWebRTCRTPTransceiver* transceiver = nullptr;
  g_signal_emit_by_name(pair_.offerer(), "add-transceiver",
                        GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps.get(), &transceiver);
  ASSERT_TRUE(transceiver);
  gst_object_unref(transceiver);
}

bool AudioCall::goes_on(int packets, std::chrono::milliseconds deadline) const {
  return arrived_->wait(arrived_->value() + packets, deadline);
}

}  // namespace webrtcupload::test
