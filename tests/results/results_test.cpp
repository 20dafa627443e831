// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcresultsink in a pipeline, with a real peer: what its results hold, and how it ends.

#include <gmock/gmock.h>
#include <gst/video/video.h>

#include <condition_variable>
#include <mutex>

#include "results/results_fixture.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ResultsTest, AResultForEachFrameThenTheEnd) {
  before_start_ = [this] {
    on_each_buffer(sink_.get(), [](GstBuffer* buffer) {
      const auto number = static_cast<guint>(GST_BUFFER_PTS(buffer) / (40 * GST_MSECOND));
      gst_buffer_add_video_region_of_interest_meta(buffer, "person", number, 20, 30, 40);
    });
  };
  run(videotestsrc(60) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(wait_end());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(61));
  for (std::uint32_t i = 0; i < 60; ++i) {
    EXPECT_EQ(json_integer(results[i].metadata(), "frame_id"), i + 1);
    EXPECT_EQ(json_integer(results[i].metadata(), "pts"), i * 3600);
    const auto predictions = results[i].predictions();
    ASSERT_EQ(predictions.size(), 1U);
    EXPECT_EQ(json_string(predictions[0], "class"), "person");
    EXPECT_EQ(json_number(predictions[0], "x"), i + 15);
    EXPECT_EQ(json_number(predictions[0], "y"), 40);
  }
  EXPECT_TRUE(results[60].is_completion());
  EXPECT_THAT(results[60].errors(), IsEmpty());

  const auto delivered = wait_delivered();
  ASSERT_TRUE(delivered);
  const GstStructure* structure = gst_message_get_structure(delivered.get());
  gboolean complete = FALSE;
  guint64 sent = 0;
  EXPECT_TRUE(gst_structure_get_boolean(structure, "delivered", &complete));
  EXPECT_TRUE(complete) << gst_structure_get_string(structure, "error-message");
  EXPECT_TRUE(gst_structure_get_uint64(structure, "sent", &sent));
  EXPECT_EQ(sent, 60U);
  EXPECT_EQ(stat<guint64>("dropped", 99), 0U);
}

TEST_F(ResultsTest, EosComesAfterTheDeliveryAndTheClosing) {
  keep_times_ = true;
  before_start_ = [this] { g_object_set(sink_.get(), "channel-timeout", kForever, nullptr); };
  run(videotestsrc(5) + " ! webrtcresultsink name=results");
  // Nobody but the sink closes it here.
  ASSERT_TRUE(wait_eos());
  std::vector<std::string> order;
  for (const auto& message :
       bus().all(static_cast<GstMessageType>(GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS))) {
    if (gst_message_has_name(message.get(), "application/x-webrtcresults-delivered")) {
      order.emplace_back("delivered");
    } else if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) {
      order.emplace_back("eos");
    }
  }
  EXPECT_EQ(order.at(0), "delivered");
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultsTest, AVideoOfNoFramesHasACompletion) {
  run("videotestsrc num-buffers=0 ! webrtcresultsink name=results");
  ASSERT_TRUE(wait_end());
  EXPECT_EQ(header_ids(client_->results()), count_to(1));
}

TEST_F(ResultsTest, WhatAnalysersSayOfAFrameIsInItsResult) {
  before_start_ = [this] {
    // As zbar does, before it pushes the frame.
    const auto analyser = element("analyser");
    const GstPtr<GstPad> pad(gst_element_get_static_pad(analyser.get(), "sink"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad* probed, GstPadProbeInfo* info, gpointer) {
          const GstClockTime pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
          const GstPtr<GstElement> parent(gst_pad_get_parent_element(probed));
          const std::string symbol = "frame " + std::to_string(pts / (40 * GST_MSECOND));
          gst_element_post_message(
              parent.get(),
              gst_message_new_element(GST_OBJECT(parent.get()),
                                      gst_structure_new("barcode", "timestamp", G_TYPE_UINT64, pts,
                                                        "type", G_TYPE_STRING, "QR-Code", "symbol",
                                                        G_TYPE_STRING, symbol.c_str(), nullptr)));
          return GST_PAD_PROBE_OK;
        },
        nullptr, nullptr);
  };
  run(videotestsrc(40) + " ! queue ! identity name=analyser ! queue ! " +
      "webrtcresultsink name=results");
  ASSERT_TRUE(wait_end());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(41));
  for (std::size_t i = 0; i < 40; ++i) {
    const auto predictions = results[i].predictions();
    ASSERT_EQ(predictions.size(), 1U);
    EXPECT_EQ(json_string(predictions[0], "text"), "frame " + std::to_string(i));
    EXPECT_EQ(json_number(predictions[0], "x"), 160);
    EXPECT_EQ(json_number(predictions[0], "confidence"), 1);
  }
}

TEST_F(ResultsTest, WhatAnalysersSayOfAnotherVideoIsNot) {
  before_start_ = [this] {
    GstElement* other = gst_element_factory_make("identity", "other");
    peers_.add(Side::kAnswerer, other);
    on_each_buffer(sink_.get(), [other](GstBuffer* buffer) {
      gst_element_post_message(
          other, gst_message_new_element(
                     GST_OBJECT(other),
                     gst_structure_new("barcode", "timestamp", G_TYPE_UINT64,
                                       GST_BUFFER_PTS(buffer), "type", G_TYPE_STRING, "QR-Code",
                                       "symbol", G_TYPE_STRING, "not mine", nullptr)));
    });
  };
  run(videotestsrc(3) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(wait_end());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(4));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_THAT(results[i].predictions(), IsEmpty());
}

TEST_F(ResultsTest, AnErrorElsewhereIsToldToThePeer) {
  run(videotestsrc(1000) + " ! identity error-after=11 ! webrtcresultsink name=results");
  ASSERT_TRUE(bus().wait(GST_MESSAGE_ERROR));
  ASSERT_TRUE(client_->wait_completion());
  client_->close();
  EXPECT_TRUE(wait_delivered());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(11));
  EXPECT_TRUE(results[10].is_completion());
  EXPECT_EQ(json_string(results[10].object(), "termination_reason"), "processing-failed");
  EXPECT_EQ(results[10].errors().size(), 1U);
}

TEST_F(ResultsTest, AFailedUploadIsToldWithItsCode) {
  start(
      "webrtcupload webrtcbin-name=pc ! fakesink async=false  "
      "appsrc caps=video/x-raw,format=I420,width=16,height=16 ! webrtcresultsink name=results");
  const auto upload = peers_.create_channel("video_upload");
  const ChannelObserver observer(upload.get());
  connect();
  ASSERT_TRUE(observer.wait_open());
  ASSERT_TRUE(send_text(upload.get(), "what is this?"));
  ASSERT_TRUE(client_->wait_completion());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(1));
  EXPECT_EQ(json_string(results[0].object(), "termination_reason"), "malformed-message");
  EXPECT_THAT(results[0].errors(), ElementsAre(HasSubstr("text message of 13 bytes")));
}

TEST_F(ResultsTest, FinishEndsItWithAReason) {
  run(videotestsrc(-1) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(client_->wait_results(3));
  g_signal_emit_by_name(sink_.get(), "finish", "timeout_reached", "it took more than 3 s");
  ASSERT_TRUE(wait_end()) << "upstream is told EOS";
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(static_cast<std::uint32_t>(results.size())));
  EXPECT_TRUE(results.back().is_completion());
  EXPECT_EQ(json_string(results.back().object(), "termination_reason"), "timeout_reached");
  EXPECT_THAT(results.back().errors(), ElementsAre("it took more than 3 s"));
}

TEST_F(ResultsTest, TheEndTellsTheFilesHashThatTheApplicationHasSet) {
  run(videotestsrc(-1) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(client_->wait_results(1));
  g_object_set(sink_.get(), "sha256", "00ff", nullptr);
  g_signal_emit_by_name(sink_.get(), "finish", nullptr, nullptr);
  ASSERT_TRUE(wait_end());
  EXPECT_EQ(json_string(client_->results().back().object(), "sha256"), "00ff");
  stop_promptly(peers_.pipeline(PeerPair::Side::kAnswerer));
  gchar* left = nullptr;
  g_object_get(sink_.get(), "sha256", &left, nullptr);
  const GCharPtr keep(left);
  EXPECT_TRUE(!left || !*left) << left << " would be told of the next file";
}

TEST_F(ResultsTest, AHurriedEndLeavesThePeerAMomentOnly) {
  // It would linger for ever.
  run(videotestsrc(3) + " ! webrtcresultsink name=results");
  ASSERT_TRUE(client_->wait_completion());
  g_signal_emit_by_name(sink_.get(), "hurry");
  EXPECT_TRUE(wait_eos());
  EXPECT_TRUE(client_->wait_closed());
}

TEST_F(ResultsTest, APeerThatLeavesEndsThePipelineWithAWarning) {
  run("appsrc name=source format=time caps=video/x-raw,format=GRAY8,width=4,height=4 ! "
      "webrtcresultsink name=results");
  const auto source = element("source");
  const auto push = [&] {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source.get(), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
  };
  push();
  ASSERT_TRUE(client_->wait_results(1));
  ASSERT_TRUE(eventually([this] { return stat<guint64>("sent") == 1; }, kDeadline));
  // Between two frames.
  client_->close();
  const auto warning = bus().wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  const GstStructure* details = nullptr;
  gst_message_parse_warning_details(warning.get(), &details);
  ASSERT_TRUE(details);
  EXPECT_STREQ(gst_structure_get_string(details, "error-code"), "peer-gone");
  push();
  EXPECT_TRUE(wait_eos()) << "upstream is told EOS";
  const auto delivered = wait_delivered();
  ASSERT_TRUE(delivered);
  gboolean complete = TRUE;
  gst_structure_get_boolean(gst_message_get_structure(delivered.get()), "delivered", &complete);
  EXPECT_FALSE(complete);
}

TEST_F(ResultsTest, ThePeerChoosesItsOutputs) {
  run(videotestsrc(-1) + " ! webrtcresultsink name=results ack-window=1");
  // One at a time from here on.
  ASSERT_TRUE(client_->wait_results(1));
  client_->ack(1);
  // Which of them are under way already does not matter: it says when it has changed.
  const auto wait_for = [this](const std::function<bool(const ReceivedResult&)>& condition) {
    for (std::size_t count = client_->count();; ++count) {
      client_->ack(static_cast<std::int64_t>(count));
      if (!client_->wait_results(count + 1)) return false;
      if (condition(client_->results().back())) return true;
    }
  };
  client_->say(R"({"data_output": []})");
  EXPECT_TRUE(wait_for([](const auto& result) { return !result.outputs(); }));
  client_->say(R"({"data_output": null, "stream_output": null})");
  client_->say(R"({"data_output": ["image"]})");
  EXPECT_TRUE(wait_for([](const auto& result) { return result.outputs() != nullptr; }));
  const auto results = client_->results();
  JsonObject* outputs = results.back().outputs();
  EXPECT_EQ(json_object_get_size(outputs), 1U);
  JsonObject* image = ReceivedResult::child(outputs, "image");
  ASSERT_TRUE(image) << results.back().text.substr(0, 300);
  EXPECT_EQ(json_string(image, "type"), "base64");
  gsize size = 0;
  guchar* jpeg = g_base64_decode(json_object_get_string_member(image, "value"), &size);
  ASSERT_GT(size, 100U);
  EXPECT_EQ(jpeg[0], 0xff);
  EXPECT_EQ(jpeg[1], 0xd8);
  EXPECT_EQ(jpeg[size - 2], 0xff);
  EXPECT_EQ(jpeg[size - 1], 0xd9);
  g_free(jpeg);
  EXPECT_EQ(json_integer(ReceivedResult::child(image, "video_metadata"), "frame_id"),
            results.back().header_id);
}

TEST_F(ResultsTest, ControlMessagesReachTheApplication) {
  struct Heard {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> messages;
  };
  const auto heard = std::make_shared<Heard>();
  SignalConnection connection;
  before_start_ = [&] {
    connection = SignalConnection(
        sink_.get(), "control",
        G_CALLBACK(+[](GstElement*, const char* text, std::shared_ptr<Heard>* state) {
          const std::lock_guard lock((*state)->mutex);
          (*state)->messages.emplace_back(text);
          (*state)->changed.notify_all();
        }),
        heard);
  };
  run(videotestsrc(-1) + " ! webrtcresultsink name=results");
  client_->ack(0);
  client_->say("no JSON");
  client_->say("[1]");
  client_->say(R"({"stream_output": ["image"]})");
  std::unique_lock lock(heard->mutex);
  ASSERT_TRUE(heard->changed.wait_for(lock, kDeadline, [&] { return !heard->messages.empty(); }));
  EXPECT_THAT(heard->messages, ElementsAre(R"({"stream_output": ["image"]})"));
}

TEST_F(ResultsTest, TextIsPassedThrough) {
  before_start_ = [this] {
    const auto kept = element("source");
    GstElement* source = kept.get();
    for (const char* text : {"one", "two \"quoted\"", "gr\xc3\xbc\xc3\x9f"}) {
      GstBuffer* buffer = gst_buffer_new_wrapped(g_strdup(text), strlen(text));
      GstFlowReturn flow = GST_FLOW_OK;
      g_signal_emit_by_name(source, "push-buffer", buffer, &flow);
      gst_buffer_unref(buffer);
    }
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source, "end-of-stream", &flow);
  };
  run("appsrc name=source format=time caps=\"text/x-raw,format=utf8\" ! "
      "webrtcresultsink name=results output-name=caption");
  ASSERT_TRUE(wait_end());
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(4));
  EXPECT_EQ(json_string(results[0].outputs(), "caption"), "one");
  EXPECT_EQ(json_string(results[1].outputs(), "caption"), "two \"quoted\"");
  EXPECT_EQ(json_string(results[2].outputs(), "caption"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_TRUE(json_object_get_null_member(results[0].metadata(), "width"));
}

TEST_F(ResultsTest, JsonIsPassedThroughIfItIsJson) {
  before_start_ = [this] {
    const auto kept = element("source");
    GstElement* source = kept.get();
    for (const char* text :
         {R"({"a": [1, 2.5, "x"]})", R"(1}, "processing_complete": true, "x": {"y": 2)", "[]",
          "{broken", R"("text")", "1e308", "\"\xff\""}) {
      GstBuffer* buffer = gst_buffer_new_wrapped(g_strdup(text), strlen(text));
      GstFlowReturn flow = GST_FLOW_OK;
      g_signal_emit_by_name(source, "push-buffer", buffer, &flow);
      gst_buffer_unref(buffer);
    }
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source, "end-of-stream", &flow);
  };
  run("appsrc name=source format=time caps=application/x-json ! "
      "webrtcresultsink name=results output-name=answer");
  ASSERT_TRUE(wait_end());
  EXPECT_GE(bus().count(GST_MESSAGE_WARNING), 1U);
  const auto results = client_->results();
  ASSERT_EQ(header_ids(results), count_to(5));
  EXPECT_EQ(results[0].text.find(R"({"serialized_output_data":{"answer":{"a": [1, 2.5, "x"]}})"),
            0U)
      << results[0].text;
  EXPECT_EQ(results[1].text.find(R"({"serialized_output_data":{"answer":[]})"), 0U);
  EXPECT_EQ(results[2].text.find(R"({"serialized_output_data":{"answer":"text"})"), 0U);
  EXPECT_EQ(results[3].text.find(R"({"serialized_output_data":{"answer":1e308})"), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
