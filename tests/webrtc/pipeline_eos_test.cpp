// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whose end is whose: an upload that ends in the pipeline of a webrtcbin, with and without a call.

#include "webrtc/pipeline_eos.h"

#include <gtest/gtest.h>

#include <string>

#include "upload/upload_witness.h"
#include "webrtc/audio_call.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// `webrtcupload ! fakesink` in the answerer's own pipeline.
class EndOfAnUpload : public testing::Test {
 protected:
  void make(const char* end_pipeline) {
    upload_ = gst_element_factory_make("webrtcupload", nullptr);
    g_object_set(upload_, "webrtcbin-name", "pc", nullptr);
    if (end_pipeline) gst_util_set_object_arg(G_OBJECT(upload_), "end-pipeline", end_pipeline);
    GstElement* sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(sink, "async", FALSE, nullptr);
    pair_.add(Side::kAnswerer, upload_);
    pair_.add(Side::kAnswerer, sink);
    ASSERT_TRUE(gst_element_link(upload_, sink));
    witness_ = std::make_unique<UploadWitness>(upload_);
  }

  void connect(AudioCall* call = nullptr) {
    ASSERT_TRUE(pair_.start());
    if (call) call->prepare();
    channel_ = pair_.create_channel("video_upload");
    ASSERT_TRUE(channel_);
    ASSERT_TRUE(pair_.negotiate());
  }

  void upload() {
    ASSERT_TRUE(ChannelObserver(channel_.get()).wait_open());
    ASSERT_TRUE(send_file(channel_.get(), random_bytes(100'000)));
    ASSERT_TRUE(witness_->wait_state("done"));
  }

  bool ends() { return pair_.bus(Side::kAnswerer).wait(GST_MESSAGE_EOS) != nullptr; }
  // An end would be told at once. How long it is looked for decides only what a fault may hide.
  bool ended() {
    return pair_.bus(Side::kAnswerer)
               .wait(GST_MESSAGE_EOS, nullptr, std::chrono::milliseconds(500)) != nullptr;
  }

  PeerPair pair_{{.observe_incoming = false}};
  GstElement* upload_ = nullptr;
  std::unique_ptr<UploadWitness> witness_;
  GstPtr<GstWebRTCDataChannel> channel_;
};

TEST_F(EndOfAnUpload, IsThePipelinesWithoutACall) {
  make(nullptr);
  connect();
  upload();
  EXPECT_TRUE(ends());
}

TEST_F(EndOfAnUpload, IsNotThatOfACall) {
  make(nullptr);
  AudioCall call(pair_, Side::kAnswerer);
  connect(&call);
  ASSERT_TRUE(call.goes_on());
  upload();
  EXPECT_TRUE(call.goes_on());
  EXPECT_FALSE(ended());
  EXPECT_EQ(pair_.bus(Side::kAnswerer).count(GST_MESSAGE_ERROR), 0U);
}

// It is negotiated, and the other side may speak at any time: no pad shows it yet.
TEST_F(EndOfAnUpload, IsNotThatOfACallInWhichNobodySpeaks) {
  make(nullptr);
  ASSERT_TRUE(pair_.start());
  GstWebRTCRTPTransceiver* transceiver = nullptr;
  const GstMiniPtr<GstCaps> caps(gst_caps_from_string(
      "application/x-rtp,media=audio,encoding-name=PCMA,clock-rate=8000,payload=8"));
  g_signal_emit_by_name(pair_.offerer(), "add-transceiver",
                        GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, caps.get(), &transceiver);
  ASSERT_TRUE(transceiver);
  gst_object_unref(transceiver);
  channel_ = pair_.create_channel("video_upload");
  ASSERT_TRUE(pair_.negotiate());
  EXPECT_EQ(pair_.answerer()->numpads, 0);
  upload();
  EXPECT_FALSE(ended());
}

// As a browser offers it that would show a video which nobody sends it.
TEST_F(EndOfAnUpload, IsThePipelinesIfMediaAreOfferedAndNotUsed) {
  make(nullptr);
  ASSERT_TRUE(pair_.start());
  GstWebRTCRTPTransceiver* transceiver = nullptr;
  const GstMiniPtr<GstCaps> caps(gst_caps_from_string(
      "application/x-rtp,media=audio,encoding-name=PCMA,clock-rate=8000,payload=8"));
  g_signal_emit_by_name(pair_.offerer(), "add-transceiver",
                        GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps.get(), &transceiver);
  ASSERT_TRUE(transceiver);
  gst_object_unref(transceiver);
  channel_ = pair_.create_channel("video_upload");
  ASSERT_TRUE(pair_.negotiate());
  upload();
  EXPECT_TRUE(ends());
}

TEST_F(EndOfAnUpload, IsThatOfACallIfTheApplicationSaysSo) {
  make("always");
  AudioCall call(pair_, Side::kAnswerer);
  connect(&call);
  upload();
  EXPECT_TRUE(ends());
}

TEST_F(EndOfAnUpload, IsNeverThePipelinesIfTheApplicationSaysSo) {
  make("auto");
  connect();
  // It may be set while it runs, and the upload stays what it is.
  gst_util_set_object_arg(G_OBJECT(upload_), "end-pipeline", "never");
  upload();
  EXPECT_FALSE(ended());
}

TEST(AnnouncedMedia, AreThoseOfSectionsInUseByWhichThePeerSends) {
  const auto announces = [](const std::string& session, const std::string& media) {
    GstSDPMessage* sdp = nullptr;
    const std::string text =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + session + media;
    EXPECT_EQ(gst_sdp_message_new_from_text(text.c_str(), &sdp), GST_SDP_OK) << text;
    const bool does = announces_media(sdp);
    gst_sdp_message_free(sdp);
    return does;
  };
  const std::string channels = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
  const std::string audio = "m=audio 9 UDP/TLS/RTP/SAVPF 8\r\n";
  EXPECT_FALSE(announces("", channels));
  EXPECT_TRUE(announces("", channels + audio + "a=sendonly\r\n"));
  EXPECT_TRUE(announces("", channels + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendrecv\r\n"));
  EXPECT_FALSE(announces("", channels + audio + "a=recvonly\r\n"));
  EXPECT_FALSE(announces("", channels + audio + "a=inactive\r\n"));
  // Refused, or given up.
  EXPECT_FALSE(announces("", "m=audio 0 UDP/TLS/RTP/SAVPF 8\r\na=sendrecv\r\n" + channels));
  // Without a direction of its own it has the session's, which is sendrecv unless it is said.
  EXPECT_TRUE(announces("", audio));
  EXPECT_TRUE(announces("a=sendonly\r\n", audio));
  EXPECT_FALSE(announces("a=recvonly\r\n", audio));
  EXPECT_FALSE(announces("a=inactive\r\n", audio));
  EXPECT_TRUE(announces("a=inactive\r\n", audio + "a=sendonly\r\n"));
}

TEST(EndPipeline, IsOnePropertyInAllElements) {
  std::string blurb;
  for (const char* name : {"webrtcupload", "webrtcuploadsink", "webrtcresultsink"}) {
    const GstPtr<GstElement> element(
        static_cast<GstElement*>(gst_object_ref_sink(gst_element_factory_make(name, nullptr))));
    GParamSpec* property =
        g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), "end-pipeline");
    ASSERT_TRUE(property) << name;
    if (blurb.empty()) blurb = g_param_spec_get_blurb(property);
    EXPECT_EQ(g_param_spec_get_blurb(property), blurb);
    EXPECT_STREQ(g_type_name(property->value_type), "GstWebrtcUploadEndPipeline");
    for (const char* value : {"auto", "never", "always"}) {
      gst_util_set_object_arg(G_OBJECT(element.get()), "end-pipeline", value);
      gint number = -1;
      g_object_get(element.get(), "end-pipeline", &number, nullptr);
      EXPECT_STREQ(g_enum_get_value(G_PARAM_SPEC_ENUM(property)->enum_class, number)->value_nick,
                   value);
    }
  }
}

// The side that sends has a call as well.
TEST(EndOfASending, IsNotThatOfACall) {
  for (const char* end_pipeline : {"auto", "always"}) {
    SCOPED_TRACE(end_pipeline);
    PeerPair pair;
    GstElement* source = gst_element_factory_make("fakesrc", nullptr);
    g_object_set(source, "num-buffers", 10, "sizetype", 2, "sizemax", 1000, nullptr);
    GstElement* sink = gst_element_factory_make("webrtcuploadsink", nullptr);
    g_object_set(sink, "webrtcbin-name", "pc", "size", guint64{10'000}, nullptr);
    gst_util_set_object_arg(G_OBJECT(sink), "end-pipeline", end_pipeline);
    pair.add(Side::kOfferer, source);
    pair.add(Side::kOfferer, sink);
    ASSERT_TRUE(gst_element_link(source, sink));
    AudioCall call(pair, Side::kOfferer);
    ASSERT_TRUE(pair.start());
    ASSERT_TRUE(pair.negotiate());
    const auto far = pair.incoming(Side::kAnswerer);
    ASSERT_TRUE(far);
    far->set_echo(true);
    const bool always = std::string(end_pipeline) == "always";
    const auto complete = pair.bus(Side::kOfferer).wait(GST_MESSAGE_PROGRESS, [](GstMessage* m) {
      GstProgressType type;
      gst_message_parse_progress(m, &type, nullptr, nullptr);
      return type == GST_PROGRESS_TYPE_COMPLETE;
    });
    ASSERT_TRUE(complete);
    if (!always) {
      EXPECT_TRUE(call.goes_on());
    }
    const auto deadline = always ? kDeadline : std::chrono::milliseconds(500);
    EXPECT_EQ(pair.bus(Side::kOfferer).wait(GST_MESSAGE_EOS, nullptr, deadline) != nullptr, always);
  }
}

}  // namespace
}  // namespace webrtcupload::test
