// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadserver hands on what it gets, as it is set up, and starts and stops.

#include "signalling/server_element.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "support/playlists.h"
#include "tool/process.h"

namespace webrtcupload::test {
namespace {

using ::testing::HasSubstr;

TEST_F(ServerElement, SaysWhereItListens) {
  start("", "fakesink");
  const auto message = bus_->wait(GST_MESSAGE_ELEMENT, [](GstMessage* candidate) {
    return gst_message_has_name(candidate, "application/x-webrtcuploadserver");
  });
  ASSERT_TRUE(message);
  const GstStructure* structure = gst_message_get_structure(message.get());
  const std::string url = "http://127.0.0.1:" + std::to_string(port());
  EXPECT_GT(port(), 0);
  EXPECT_EQ(gst_structure_get_string(structure, "url"), url);
  char* property = nullptr;
  g_object_get(server_.get(), "url", &property, nullptr);
  EXPECT_STREQ(property, url.c_str());
  g_free(property);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  EXPECT_EQ(port(), 0) << "what was asked for";
}

TEST_F(ServerElement, HandsTheFileOnAsItIs) {
  Bytes bytes;
  const std::string path = write_file(1'000'000, bytes);
  start("", "filesink location=" + out());
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload(path);
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  EXPECT_EQ(written(), bytes);
  ASSERT_TRUE(wait_channels());
  // The peer is told when the pipeline ends.
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  ASSERT_TRUE(client.wait_closed());
  const auto results = client.results();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_THAT(results[0].text, HasSubstr("\"processing_complete\":true"));
  EXPECT_THAT(results[0].text, HasSubstr("\"termination_reason\":null"));
}

TEST_F(ServerElement, ReachesAResultSinkInTheSamePipeline) {
  const std::string video = write_video();
  start("", "decodebin ! videoconvert ! webrtcresultsink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload(video);
  ASSERT_TRUE(client.wait_end());
  const auto results = client.results();
  ASSERT_EQ(results.size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_THAT(results.front().text, HasSubstr("\"frame_id\":1,"));
  EXPECT_THAT(results.back().text, HasSubstr("\"processing_complete\":true"));
  EXPECT_TRUE(bus_->wait(GST_MESSAGE_EOS));
}

// gst-launch-1.0 plays in two steps: PAUSED, then PLAYING as soon as it hears that the pipeline has
// paused, while the streaming thread that completed that may still be at it. Here it always is.
TEST_F(ServerElement, EndsWhenItIsPlayedWhileItStillCompletesPaused) {
  const std::string video = write_video();
  make("", "decodebin ! videoconvert ! webrtcresultsink");
  std::promise<void> paused;
  std::promise<void> played;
  std::function<void(GstMessage*)> on_state_changed = [&](GstMessage* message) {
    GstState state{};
    gst_message_parse_state_changed(message, nullptr, &state, nullptr);
    if (GST_MESSAGE_SRC(message) != GST_OBJECT(pipeline_.get()) || state != GST_STATE_PAUSED)
      return;
    paused.set_value();
    played.get_future().wait_for(kDeadline);
  };
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_enable_sync_message_emission(bus.get());
  const SignalConnection connection(
      bus.get(), "sync-message::state-changed",
      G_CALLBACK(+[](GstBus*, GstMessage* message, std::function<void(GstMessage*)>* handler) {
        (*handler)(message);
      }),
      on_state_changed);
  ASSERT_EQ(gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload(video);
  ASSERT_EQ(paused.get_future().wait_for(kDeadline), std::future_status::ready);
  play();
  played.set_value();
  ASSERT_TRUE(client.wait_end());
  EXPECT_EQ(client.results().size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(bus_->wait(GST_MESSAGE_EOS));
}

TEST_F(ServerElement, IsSetUpThroughItsChild) {
  Bytes bytes;
  const std::string path = write_file(100'000, bytes);
  // (gst_parse_launch() of 1.22 leaks the child when it sets such a property.)
  make("", "fakesink");
  gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::max-size", guint64{1000}, nullptr);
  play();
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload_part(path, 1);
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(error_text(error.get()).code, "too-large");
  ASSERT_TRUE(wait_channels());
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  ASSERT_TRUE(client.wait_closed());
  const auto results = client.results();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_THAT(results[0].text, HasSubstr("\"termination_reason\":\"too-large\""));
  // What the peer could do better.
  EXPECT_THAT(results[0].text, HasSubstr("at most 1000 "));
}

TEST_F(ServerElement, HasTheUploadsPropertiesOfWireFormatV2) {
  make("protocols=v1 resume-timeout=7 max-connections=3", "fakesink");
  guint protocols = 0;
  guint64 timeout = 0;
  guint connections = 0;
  gst_child_proxy_get(GST_CHILD_PROXY(server_.get()), "upload::protocols", &protocols,
                      "upload::resume-timeout", &timeout, "upload::max-connections", &connections,
                      nullptr);
  EXPECT_EQ(protocols, 1U);
  EXPECT_EQ(timeout, 7U);
  EXPECT_EQ(connections, 3U);
  gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::max-connections", 4U, nullptr);
  g_object_get(server_.get(), "protocols", &protocols, "resume-timeout", &timeout,
               "max-connections", &connections, nullptr);
  EXPECT_EQ(protocols, 1U);
  EXPECT_EQ(timeout, 7U);
  EXPECT_EQ(connections, 4U);
}

// The picture is one of 64x48.
TEST_F(ServerElement, KeepsFilmsWithinTheLimitsOfItsChild) {
  const std::string video = write_video();
  for (const bool progressive : {false, true}) {
    SCOPED_TRACE(progressive ? "progressive" : "complete");
    make("", "decodebin ! fakesink name=sink");
    gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::max-pixels", guint64{64 * 48 - 1},
                        "upload::progressive", gboolean{progressive}, nullptr);
    std::atomic<int> frames = 0;
    const GstPtr<GstPad> pad(
        gst_element_get_static_pad(element_named(pipeline_, "sink").get(), "sink"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
          ++*static_cast<std::atomic<int>*>(count);
          return GST_PAD_PROBE_OK;
        },
        &frames, nullptr);
    play();
    WorkerClient client;
    ASSERT_EQ(client.connect(port(), batch()), 200);
    client.upload(video);
    const auto error = bus_->wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_EQ(error_text(error.get()).code, "too-large-picture");
    ASSERT_TRUE(wait_channels());
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    ASSERT_TRUE(client.wait_closed());
    const auto results = client.results();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_THAT(results[0].text, HasSubstr("\"termination_reason\":\"too-large-picture\""));
    EXPECT_EQ(frames, 0);
    // One error, and no end as if all were well.
    EXPECT_EQ(bus_->count(GST_MESSAGE_ERROR), 1U);
    EXPECT_EQ(bus_->count(GST_MESSAGE_EOS), 0U);
  }
}

// Its results and its session's address say why, and nothing that it names is opened.
TEST_F(ServerElement, RefusesAPlaylist) {
  for (const char* name : {"hls_media", "hls_media_of_files", "dash_behind_id3", "sdp"}) {
    for (const char* pipeline : {"decodebin ! videoconvert ! webrtcresultsink",
                                 "decodebin3 ! videoconvert ! webrtcresultsink"}) {
      SCOPED_TRACE(std::string(name) + ", " + pipeline);
      OpenWitness witness;
      const std::string path = directory_ + "/playlist";
      std::ofstream(path, std::ios::binary) << playlist(name, witness).content;
      start("", pipeline);
      {
        WorkerClient client;
        ASSERT_EQ(client.connect(port(), batch()), 200);
        const std::string session = client.location();
        client.upload(path);
        ASSERT_TRUE(client.wait_completion());
        EXPECT_THAT(client.results().back().text,
                    AllOf(HasSubstr("\"termination_reason\":\"not-a-video\""),
                          HasSubstr("\"this is a playlist, not a video\"")));
        EXPECT_THAT(http_exchange(port(), "GET " + session +
                                              " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                    HasSubstr("\"code\":\"not-a-video\""));
      }
      gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
      EXPECT_EQ(witness.opened(), "");
    }
  }
}

TEST_F(ServerElement, TakesAnotherUploadWhenItIsStartedAgain) {
  Bytes bytes;
  const std::string path = write_file(200'000, bytes);
  start("", "filesink location=" + out());
  for (int round = 0; round < 2; ++round) {
    WorkerClient client;
    ASSERT_EQ(client.connect(port(), batch()), 200) << round;
    client.upload(path);
    ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS)) << round;
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    EXPECT_EQ(written(), bytes) << round;
    play();
  }
}

TEST_F(ServerElement, IsStoppedAtAnyMoment) {
  for (int moment = 0; moment < 3; ++moment) {
    start("", "decodebin ! fakesink");
    WorkerClient client;
    if (moment > 0) {
      ASSERT_EQ(client.connect(port(), batch()), 200);
    }
    if (moment > 1) {
      ASSERT_TRUE(client.wait_open());
    }
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(gst_element_set_state(pipeline_.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    // A moment, or on a busy machine the three seconds that a good-bye is given, and what else it
    // is slow with. A peer's silence would last for 26 s at least, with libnice 0.1.22; for 45 s
    // with 0.1.21.
    EXPECT_LE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(25)) << moment;
    bus_.reset();
  }
}

}  // namespace
}  // namespace webrtcupload::test
