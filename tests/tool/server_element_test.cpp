// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadserver in pipelines, with clients that really connect.

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>

#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "process.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "support/playlists.h"
#include "support/sample_offers.h"
#include "worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::BusLog;
using test::Bytes;
using test::eventually;
using test::WorkerClient;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kFrames = 20;

class ServerElement : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override {
    if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    bus_.reset();
    fs::remove_all(directory_);
  }

  // "webrtcuploadserver name=server port=0 `properties` ! `rest`".
  void make(const std::string& properties, const std::string& rest) {
    pipeline_ =
        test::parse_pipeline("webrtcuploadserver name=server port=0 " + properties + " ! " + rest);
    ASSERT_TRUE(pipeline_);
    bus_ = std::make_unique<BusLog>(pipeline_.get());
    server_ = test::element_named(pipeline_, "server");
    channels() = 0;
    g_signal_connect(
        server_.get(), "peer-added", G_CALLBACK(+[](GstElement*, GstElement* webrtcbin) {
          // After the server's own handler.
          g_signal_connect_after(webrtcbin, "on-data-channel",
                                 G_CALLBACK(+[](GstElement*, gpointer) { ++channels(); }), nullptr);
        }),
        nullptr);
  }
  // Until the server knows both of its peer's channels. Each is announced on a thread of its own,
  // and a last word has to have its channel by then.
  [[nodiscard]] static bool wait_channels() {
    return eventually([] { return channels() == 2; });
  }
  static std::atomic<int>& channels() {
    static std::atomic<int> count = 0;
    return count;
  }
  void start(const std::string& properties, const std::string& rest) {
    make(properties, rest);
    play();
  }
  void play() {
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  }
  [[nodiscard]] int port() const {
    guint port = 0;
    g_object_get(server_.get(), "port", &port, nullptr);
    return static_cast<int>(port);
  }

  // A file of so many bytes, none like the other, and what it holds.
  std::string write_file(std::size_t size, Bytes& bytes) const {
    bytes = test::random_bytes(size);
    const std::string path = directory_ + "/file";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
    return path;
  }
  [[nodiscard]] std::string write_video() const {
    std::string path = directory_ + "/video.mp4";
    const auto pipeline = test::parse_pipeline(
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc ! mp4mux ! filesink location=" +
        path);
    BusLog bus(pipeline.get());
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    EXPECT_TRUE(bus.wait(GST_MESSAGE_EOS));
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    return path;
  }

  // What "filesink location=out" has written.
  [[nodiscard]] std::string out() const { return directory_ + "/out"; }
  [[nodiscard]] Bytes written() const {
    std::ifstream in(out(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  std::string directory_;
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> server_;
  std::unique_ptr<BusLog> bus_;
};

WorkerRequest batch() {
  WorkerRequest request;
  request.realtime = false;
  request.data_output = std::vector<std::string>{"*"};
  return request;
}

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
    played.get_future().wait_for(test::kDeadline);
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
  ASSERT_EQ(paused.get_future().wait_for(test::kDeadline), std::future_status::ready);
  play();
  played.set_value();
  ASSERT_TRUE(client.wait_end());
  EXPECT_EQ(client.results().size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(bus_->wait(GST_MESSAGE_EOS));
}

TEST_F(ServerElement, TakesOnePeerAtATime) {
  Bytes bytes;
  const std::string path = write_file(100'000, bytes);
  start("", "filesink location=" + out());
  WorkerClient first;
  ASSERT_EQ(first.connect(port(), batch()), 200);
  WorkerClient second;
  EXPECT_EQ(second.connect(port(), batch()), 429);
  first.upload(path);
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  EXPECT_EQ(written(), bytes);
}

TEST_F(ServerElement, APeerThatDoesNotBeginFreesThePlace) {
  start("connect-timeout=300000000", "fakesink");
  WorkerClient idle;
  ASSERT_EQ(idle.connect(port(), batch()), 200);
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
  EXPECT_EQ(bus_->count(GST_MESSAGE_WARNING), 0U);
  // Why is told, and without blame for the network.
  const auto told = bus_->wait(GST_MESSAGE_INFO);
  ASSERT_TRUE(told);
  GError* raw = nullptr;
  gst_message_parse_info(told.get(), &raw, nullptr);
  const GErrorPtr error(raw);
  EXPECT_THAT(error->message, HasSubstr("did not begin to upload in time"));
}

TEST_F(ServerElement, APeerThatGoesBeforeItsUploadFreesThePlace) {
  const std::string video = write_video();
  start("", "decodebin ! videoconvert ! webrtcresultsink");
  auto client = std::make_unique<WorkerClient>();
  ASSERT_EQ(client->connect(port(), batch()), 200);
  ASSERT_TRUE(client->wait_open());
  client->hang_up();
  ASSERT_TRUE(eventually([&] {
    client = std::make_unique<WorkerClient>();
    return client->connect(port(), batch()) == 200;
  }));
  // And the results are the new peer's.
  client->upload(video);
  ASSERT_TRUE(client->wait_end());
  EXPECT_EQ(client->results().size(), static_cast<std::size_t>(kFrames) + 1);
  EXPECT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  EXPECT_EQ(bus_->count(GST_MESSAGE_WARNING), 0U);
}

TEST_F(ServerElement, RequestsThatCanBeReadInTwoWaysAreRefused) {
  start("", "fakesink");
  const std::string begin = "POST /upload HTTP/1.1\r\nHost: x\r\n";
  const std::string hidden = "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto status_of = [&](const std::string& request) {
    return test::http_exchange(port(), request).substr(0, 12);
  };
  EXPECT_EQ(status_of(begin + "Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + hidden),
            "HTTP/1.1 400");
  EXPECT_EQ(status_of(begin + "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
                      hidden),
            "HTTP/1.1 400");
  EXPECT_EQ(status_of(begin + "X: " + std::string(100'000, 'y') + "\r\n\r\n"), "HTTP/1.1 431");
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 200);
}

// Nothing of it stays, and the next one gets the place.
TEST_F(ServerElement, APeerThatOpensTooManyChannelsLosesThePlace) {
  start("", "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  ASSERT_TRUE(client.wait_open());
  const std::string path = client.location();
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(client.open("another"));
  EXPECT_TRUE(eventually([&] {
    return test::http_exchange(port(), "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
               .find(
                   R"("code":"too-many-channels","message":"the client has opened more than 16)") !=
           std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
}

// What a peer has left behind that went while the application was asked about it, with one chunk
// sent or more, is nothing to the next one, whose channel may be there when the answer comes.
TEST_F(ServerElement, WhatAnApplicationAllowsAPeerIsNotForTheNextOne) {
  struct Question {
    std::promise<void> asked;
    std::promise<void> may_answer;
    std::atomic<int> count = 0;
    std::atomic<int> removed = 0;
  };
  Bytes bytes;
  const std::string path = write_file(1'000'000, bytes);
  for (const std::uint32_t chunks : {1U, 2U}) {
    for (const bool waits : {false, true}) {
      SCOPED_TRACE(std::to_string(chunks) + (waits ? " chunks, channel there" : " chunks"));
      Question question;
      make("", "filesink location=" + out());
      g_signal_connect(server_.get(), "peer-removed",
                       G_CALLBACK(+[](GstElement*, GstElement*, Question* of) { ++of->removed; }),
                       &question);
      const GstPtr<GstElement> upload(gst_bin_get_by_name(GST_BIN(server_.get()), "upload"));
      g_signal_connect(upload.get(), "authorize",
                       G_CALLBACK(+[](GstElement*, GstStructure*, Question* of) -> gboolean {
                         if (of->count++ > 0) return TRUE;
                         of->asked.set_value();
                         of->may_answer.get_future().wait();
                         return TRUE;
                       }),
                       &question);
      play();
      auto first = std::make_unique<WorkerClient>();
      ASSERT_EQ(first->connect(port(), batch()), 200);
      first->upload_part(path, chunks);
      question.asked.get_future().wait();
      first->hang_up();
      ASSERT_TRUE(eventually([&] { return question.removed == 1; }));
      channels() = 0;
      WorkerClient second;
      ASSERT_EQ(second.connect(port(), batch()), 200);
      if (waits) {
        ASSERT_TRUE(second.wait_open());
        ASSERT_TRUE(wait_channels());
      }
      question.may_answer.set_value();
      second.upload(path);
      ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
      EXPECT_EQ(question.count, 2) << "each peer is asked about";
      EXPECT_EQ(written(), bytes);
      gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
      bus_.reset();
    }
  }
}

// Its time ends with its first chunk, however long the application takes to allow that.
TEST_F(ServerElement, APeerThatWaitsForTheApplicationKeepsItsPlace) {
  constexpr GstClockTime kTime = 3 * GST_SECOND;
  Bytes bytes;
  const std::string path = write_file(1'000'000, bytes);
  make("connect-timeout=" + std::to_string(kTime), "filesink location=" + out());
  const GstPtr<GstElement> upload(gst_bin_get_by_name(GST_BIN(server_.get()), "upload"));
  std::promise<void> removed;
  g_signal_connect(server_.get(), "peer-removed",
                   G_CALLBACK(+[](GstElement*, GstElement*, std::promise<void>* promise) {
                     promise->set_value();
                   }),
                   &removed);
  g_signal_connect(
      upload.get(), "authorize",
      G_CALLBACK(+[](GstElement*, GstStructure*, std::promise<void>* promise) -> gboolean {
        // Longer than the peer may take; no longer if it is sent away.
        promise->get_future().wait_for(std::chrono::nanoseconds(kTime + GST_SECOND));
        return TRUE;
      }),
      &removed);
  play();
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload(path);
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  EXPECT_EQ(written(), bytes);
  EXPECT_EQ(bus_->count(GST_MESSAGE_INFO), 0U);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

// No time runs for a peer that only keeps its connection alive, nor for the next one.
TEST_F(ServerElement, AKeepaliveStartsNoTime) {
  Bytes bytes;
  const std::string path = write_file(100'000, bytes);
  make("", "filesink location=" + out());
  gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::idle-timeout", guint64{200'000'000},
                      nullptr);
  play();
  auto first = std::make_unique<WorkerClient>();
  ASSERT_EQ(first->connect(port(), batch()), 200);
  ASSERT_TRUE(first->wait_open());
  ASSERT_TRUE(first->wait_stored()) << "a keepalive comes back";
  first->hang_up();
  // By then the time would have been over.
  EXPECT_FALSE(bus_->wait(GST_MESSAGE_ERROR, nullptr, std::chrono::milliseconds(600)));
  WorkerClient second;
  ASSERT_TRUE(eventually([&] { return second.connect(port(), batch()) == 200; }));
  second.upload(path);
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  EXPECT_EQ(written(), bytes);
}

TEST_F(ServerElement, APeerThatGoesAmidItsUploadIsAnError) {
  Bytes bytes;
  const std::string path = write_file(1'000'000, bytes);
  start("", "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  client.upload_part(path, 3);
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_PROGRESS, [](GstMessage* message) {
    GstProgressType type{};
    char* code = nullptr;
    gst_message_parse_progress(message, &type, &code, nullptr);
    const GCharPtr owned(code);
    return type == GST_PROGRESS_TYPE_START && g_strcmp0(code, "upload") == 0;
  }));
  client.hang_up();
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(test::error_text(error.get()).code, "peer-gone");
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
  EXPECT_EQ(test::error_text(error.get()).code, "too-large");
  ASSERT_TRUE(wait_channels());
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  ASSERT_TRUE(client.wait_closed());
  const auto results = client.results();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_THAT(results[0].text, HasSubstr("\"termination_reason\":\"too-large\""));
  // What the peer could do better.
  EXPECT_THAT(results[0].text, HasSubstr("at most 1000 "));
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
        gst_element_get_static_pad(test::element_named(pipeline_, "sink").get(), "sink"));
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
    EXPECT_EQ(test::error_text(error.get()).code, "too-large-picture");
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

TEST_F(ServerElement, WantsItsKey) {
  start("api-key=sesame", "fakesink");
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 401);
  EXPECT_THAT(client.reply(), HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
  WorkerClient wrong;
  EXPECT_EQ(wrong.connect(port(), batch(), "Authorization: Bearer sesam\r\n"), 401);
  WorkerClient right;
  EXPECT_EQ(right.connect(port(), batch(), "Authorization: Bearer sesame\r\n"), 200);
}

TEST_F(ServerElement, DeleteFreesThePlace) {
  start("", "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  const std::string marker = "Location: ";
  const std::size_t at = client.reply().find(marker);
  ASSERT_NE(at, std::string::npos);
  const std::size_t begin = at + marker.size();
  const std::string path = client.reply().substr(begin, client.reply().find("\r\n", begin) - begin);
  const std::string wrong = test::http_exchange(
      port(), "DELETE /sessions/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(wrong, ::testing::StartsWith("HTTP/1.1 404"));
  const std::string gone = test::http_exchange(
      port(), "DELETE " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(gone, ::testing::StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
}

TEST_F(ServerElement, TellsWhoAsksHowItsSessionIs) {
  start("connect-timeout=" + std::to_string(2 * GST_SECOND), "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  const std::string marker = "Location: ";
  const std::size_t begin = client.reply().find(marker) + marker.size();
  const std::string path = client.reply().substr(begin, client.reply().find("\r\n", begin) - begin);
  const auto ask = [&](const std::string& what) {
    return test::http_exchange(port(),
                               "GET " + what + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  };
  EXPECT_THAT(ask(path), HasSubstr(R"({"state":"running",)"));
  EXPECT_THAT(ask("/sessions/x"), ::testing::StartsWith("HTTP/1.1 404"));
  // It does not upload.
  EXPECT_TRUE(eventually([&] {
    return ask(path).find(R"({"state":"ended","status":"failed","code":"connect-timeout",)") !=
           std::string::npos;
  })) << ask(path);
}

// Its results and its session's address say why, and nothing that it names is opened.
TEST_F(ServerElement, RefusesAPlaylist) {
  for (const char* name : {"hls_media", "hls_media_of_files", "dash_behind_id3", "sdp"}) {
    for (const char* pipeline : {"decodebin ! videoconvert ! webrtcresultsink",
                                 "decodebin3 ! videoconvert ! webrtcresultsink"}) {
      SCOPED_TRACE(std::string(name) + ", " + pipeline);
      test::OpenWitness witness;
      const std::string path = directory_ + "/playlist";
      std::ofstream(path, std::ios::binary) << test::playlist(name, witness).content;
      start("", pipeline);
      {
        WorkerClient client;
        ASSERT_EQ(client.connect(port(), batch()), 200);
        const std::string marker = "Location: ";
        const std::size_t begin = client.reply().find(marker) + marker.size();
        const std::string session =
            client.reply().substr(begin, client.reply().find("\r\n", begin) - begin);
        client.upload(path);
        ASSERT_TRUE(client.wait_completion());
        EXPECT_THAT(client.results().back().text,
                    AllOf(HasSubstr("\"termination_reason\":\"not-a-video\""),
                          HasSubstr("\"this is a playlist, not a video\"")));
        EXPECT_THAT(
            test::http_exchange(
                port(), "GET " + session + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            HasSubstr("\"code\":\"not-a-video\""));
      }
      gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
      EXPECT_EQ(witness.opened(), "");
    }
  }
}

TEST_F(ServerElement, BadOffersTakeNoPlace) {
  start("", "fakesink");
  for (const std::string& offer : {std::string(), std::string("v=0"), std::string("x"),
                                   std::string(100'000, 'a'), std::string("v=0\r\nm=audio")}) {
    WorkerRequest request = batch();
    request.offer_sdp = offer;
    EXPECT_THAT(test::http_exchange(port(), test::post(write_worker_request(request))),
                ::testing::StartsWith("HTTP/1.1 4"));
  }
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 200);
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

// A connection whose last word, DTLS's close alert, is held up until open() is called.
class HeldGoodbye {
 public:
  void hold(GstElement* webrtcbin) {
    GstIterator* found = gst_bin_iterate_all_by_element_factory_name(GST_BIN(webrtcbin), "dtlsenc");
    GValue item = G_VALUE_INIT;
    while (true) {
      const GstIteratorResult result = gst_iterator_next(found, &item);
      // webrtcbin may still be adding what belongs to a channel.
      if (result == GST_ITERATOR_RESYNC) gst_iterator_resync(found);
      if (result == GST_ITERATOR_RESYNC) continue;
      if (result != GST_ITERATOR_OK) break;
      const GstPtr<GstPad> pad(
          gst_element_get_static_pad(GST_ELEMENT(g_value_get_object(&item)), "sink"));
      g_value_unset(&item);
      gst_pad_add_probe(
          pad.get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
          [](GstPad*, GstPadProbeInfo* info, gpointer data) {
            if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
              auto* self = static_cast<HeldGoodbye*>(data);
              std::call_once(self->once_, [self] { self->begun_.set_value(); });
              self->opened_.wait();
            }
            return GST_PAD_PROBE_OK;
          },
          this, nullptr);
    }
    gst_iterator_free(found);
  }
  [[nodiscard]] bool wait_begun() {
    return begun_.get_future().wait_for(test::kDeadline) == std::future_status::ready;
  }
  void open() { open_.set_value(); }

 private:
  std::once_flag once_;
  std::promise<void> begun_;
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
};

// The leaks tracer looks at what is left of this when all tests are done.
TEST_F(ServerElement, IsNotHeldUpByAGoodbyeThatTakesLong) {
  struct Peer {
    GstPtr<GstElement> webrtcbin;  // Until it is held up.
    std::atomic<int> removed = 0;
    std::atomic<bool> alive = false;
  } peer;
  make("", "fakesink");
  g_signal_connect(server_.get(), "peer-added",
                   G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, Peer* self) {
                     self->webrtcbin = ref_gst(webrtcbin);
                   }),
                   &peer);
  g_signal_connect(server_.get(), "peer-removed",
                   G_CALLBACK(+[](GstElement*, GstElement*, Peer* self) { ++self->removed; }),
                   &peer);
  play();
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  ASSERT_TRUE(client.wait_open());
  HeldGoodbye goodbye;
  goodbye.hold(peer.webrtcbin.get());
  peer.alive = true;
  g_object_weak_ref(
      G_OBJECT(peer.webrtcbin.get()),
      [](gpointer alive, GObject*) { *static_cast<std::atomic<bool>*>(alive) = false; },
      &peer.alive);
  peer.webrtcbin.reset();

  auto stopped = std::async(std::launch::async,
                            [&] { return gst_element_set_state(pipeline_.get(), GST_STATE_NULL); });
  EXPECT_TRUE(goodbye.wait_begun());
  EXPECT_EQ(stopped.wait_for(test::kDeadline), std::future_status::ready);
  EXPECT_EQ(peer.removed, 1);
  EXPECT_TRUE(peer.alive) << "the good-bye goes on";
  goodbye.open();
  EXPECT_TRUE(eventually([&] { return !peer.alive; })) << "something keeps the connection";
  EXPECT_EQ(stopped.get(), GST_STATE_CHANGE_SUCCESS);
}

// webrtcbin that is stopped while it adds a transport forgets that, and its threads run for ever.
TEST_F(ServerElement, APeerThatGoesWhileItIsAnsweredLeavesNothing) {
  struct Offer {
    std::once_flag once;
    std::promise<void> taken;
    std::promise<void> stopped;
    std::atomic<bool> stopped_amid = false;
  } offer;
  make("", "fakesink");
  g_signal_connect(
      server_.get(), "peer-added", G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, Offer* self) {
        std::call_once(self->once, [&] {
          g_signal_connect(
              webrtcbin, "element-added", G_CALLBACK(+[](GstBin* bin, GstElement*, Offer* of) {
                g_signal_handlers_disconnect_by_data(bin, of);
                of->taken.set_value();
                // What must not happen has half a second to happen.
                of->stopped_amid = of->stopped.get_future().wait_for(
                                       std::chrono::milliseconds(500)) == std::future_status::ready;
              }),
              self);
          const GstPtr<GstElement> pipeline(GST_ELEMENT(gst_element_get_parent(webrtcbin)));
          const GstPtr<GstBus> bus(gst_element_get_bus(pipeline.get()));
          gst_bus_set_sync_handler(
              bus.get(),
              [](GstBus*, GstMessage* message, gpointer data) {
                GstState state = GST_STATE_VOID_PENDING;
                GstState before = GST_STATE_VOID_PENDING;
                if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_STATE_CHANGED &&
                    g_str_has_prefix(GST_MESSAGE_SRC_NAME(message), "webrtcbin")) {
                  gst_message_parse_state_changed(message, &before, &state, nullptr);
                }
                if (before == GST_STATE_PAUSED && state == GST_STATE_READY) {
                  static_cast<Offer*>(data)->stopped.set_value();
                }
                return GST_BUS_PASS;
              },
              self, nullptr);
        });
      }),
      &offer);
  play();
  {
    WorkerRequest request = batch();
    request.offer_sdp = crlf(kWebrtcbinOffer);
    const test::RawHttp http(port());
    ASSERT_TRUE(http.send(test::post(write_worker_request(request))));
    ASSERT_EQ(offer.taken.get_future().wait_for(test::kDeadline), std::future_status::ready);
  }
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
  EXPECT_FALSE(offer.stopped_amid);
}

TEST_F(ServerElement, TellsItsServersForIceToWhoAsks) {
  start("stun-server=stun://stun.invalid:3478 turn-server=turn://me:s%22cret@turn.invalid:3478",
        "fakesink");
  EXPECT_THAT(test::http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("\r\nLink: <stun:stun.invalid:3478>; rel=\"ice-server\", "
                        "<turn:turn.invalid:3478?transport=udp>; rel=\"ice-server\"; "
                        "username=\"me\"; credential=\"s\\\"cret\"; "
                        "credential-type=\"password\"\r\n"));
}

TEST_F(ServerElement, TellsCredentialsForIceToWhoHasTheKey) {
  start("api-key=sesame turn-server=turn://me:secret@turn.invalid:3478", "fakesink");
  const auto ask = [this](const std::string& header) {
    return test::http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n" + header + "\r\n");
  };
  EXPECT_THAT(ask(""), ::testing::Not(HasSubstr("turn.invalid")));
  EXPECT_THAT(ask("Authorization: Bearer sesam\r\n"), ::testing::Not(HasSubstr("turn.invalid")));
  EXPECT_THAT(ask("Authorization: Bearer sesame\r\n"), HasSubstr("credential=\"secret\""));
}

TEST_F(ServerElement, ShowsThePageAndItsLimits) {
  start("", "fakesink");
  EXPECT_THAT(test::http_exchange(port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("<!doctype html>"));
  EXPECT_THAT(test::http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("{\"max_size\":524288000,\"keys_required\":false,\"formats\":null}"));
}

TEST_F(ServerElement, TellsWhatItsChunksAllow) {
  make("", "fakesink");
  gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::max-size", guint64{4'000'000'000},
                      "upload::max-chunks", 100U, nullptr);
  play();
  EXPECT_THAT(test::http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("{\"max_size\":4915200,"));
}

TEST_F(ServerElement, APortThatIsTakenIsAnError) {
  start("", "fakesink");
  const auto other =
      test::parse_pipeline("webrtcuploadserver port=" + std::to_string(port()) + " ! fakesink");
  BusLog bus(other.get());
  EXPECT_EQ(gst_element_set_state(other.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(test::error_text(error.get()).message, HasSubstr(std::to_string(port())));
  gst_element_set_state(other.get(), GST_STATE_NULL);
}

TEST_F(ServerElement, CredentialsThatNoHeaderCanHoldAreAnError) {
  for (const char* credentials : {"me:a%0d%0aX-Injected:%20yes", "m%7fe:a", "me:%ff"}) {
    const auto pipeline =
        test::parse_pipeline("webrtcuploadserver port=0 turn-server=turn://" +
                             std::string(credentials) + "@turn.invalid:3478 ! fakesink");
    BusLog bus(pipeline.get());
    EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE)
        << credentials;
    EXPECT_TRUE(bus.wait(GST_MESSAGE_ERROR)) << credentials;
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

TEST_F(ServerElement, AServerForIceThatIsNoneIsAnError) {
  const auto pipeline =
      test::parse_pipeline("webrtcuploadserver port=0 stun-server=nonsense ! fakesink");
  BusLog bus(pipeline.get());
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(test::error_text(error.get()).message, HasSubstr("stun-server"));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

TEST_F(ServerElement, PortsAndAddressesThatMakeNoSenseAreAnError) {
  struct Wrong {
    const char* properties;
    const char* name;
    const char* reason;
  };
  for (const Wrong& wrong :
       {Wrong{"min-udp-port=50100 max-udp-port=50000", "\"max-udp-port\"", "the wrong way round"},
        Wrong{"min-udp-port=80 max-udp-port=50000", "\"min-udp-port\"", "below 1024"},
        Wrong{"max-udp-port=50000", "\"min-udp-port\"", "below 1024"},
        Wrong{"address=0.0.0.0 announce-address=example.org", "\"announce-address\"",
              "\"example.org\" is not an IP address"},
        Wrong{"address=0.0.0.0 announce-address=203.0.113.7,x", "\"announce-address\"",
              "\"x\" is not an IP address"},
        Wrong{"announce-address=203.0.113.7", "\"announce-address\"",
              "at the address 127.0.0.1 there are none"}}) {
    const auto pipeline = test::parse_pipeline(std::string("webrtcuploadserver port=0 ") +
                                               wrong.properties + " ! fakesink");
    BusLog bus(pipeline.get());
    EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = bus.wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error) << wrong.properties;
    EXPECT_THAT(test::error_text(error.get()).message,
                AllOf(HasSubstr(wrong.name), HasSubstr(wrong.reason)));
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

TEST_F(ServerElement, TellsPeersTheAddressesThatItIsTo) {
  start(
      "address=0.0.0.0 min-udp-port=50200 max-udp-port=50219 "
      "announce-address=\"203.0.113.7, 203.0.113.8\"",
      "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  for (const char* address : {"203.0.113.7", "203.0.113.8"}) {
    EXPECT_THAT(client.reply(), ::testing::ContainsRegex(std::string(" UDP [0-9]+ ") + address +
                                                         " 502[01][0-9] typ host"));
  }
  EXPECT_THAT(client.reply(), ::testing::Not(HasSubstr(" TCP ")));
}

TEST_F(ServerElement, APeerForWhomNoPortIsFreeIsToldSo) {
  // Whichever the system gives, at every address.
  const GObjectPtr<GSocket> taken(
      g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, nullptr));
  const GObjectPtr<GInetAddress> any(g_inet_address_new_any(G_SOCKET_FAMILY_IPV4));
  const GObjectPtr<GSocketAddress> address(g_inet_socket_address_new(any.get(), 0));
  ASSERT_TRUE(g_socket_bind(taken.get(), address.get(), FALSE, nullptr));
  const GObjectPtr<GSocketAddress> bound(g_socket_get_local_address(taken.get(), nullptr));
  const std::string udp_port =
      std::to_string(g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound.get())));
  start("min-udp-port=" + udp_port + " max-udp-port=" + udp_port, "fakesink");
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 503);
  EXPECT_THAT(client.reply(), HasSubstr("none of the UDP ports " + udp_port + " is free"));
  // The place is free again.
  ASSERT_TRUE(g_socket_close(taken.get(), nullptr));
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
}

TEST_F(ServerElement, RefusesPagesThatAreNotAllowed) {
  start("allowed-origins=\"https://a.example, http://b.example:8080\"", "fakesink");
  const auto ask = [this](const std::string& origin) {
    return test::http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: 127.0.0.1:" +
                                           std::to_string(port()) + "\r\n" + origin + "\r\n");
  };
  EXPECT_THAT(ask("Origin: https://a.example\r\n"),
              HasSubstr("\r\nAccess-Control-Allow-Origin: https://a.example\r\n"));
  EXPECT_THAT(ask("Origin: http://b.example:8080\r\n"), ::testing::StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(ask("Origin: http://b.example\r\n"), ::testing::StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("Origin: http://127.0.0.1:" + std::to_string(port()) + "\r\n"),
              ::testing::StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(ask(""), ::testing::StartsWith("HTTP/1.1 204"));
}

TEST_F(ServerElement, WhatIsNoListOfOriginsIsAnError) {
  make("", "fakesink");
  char* value = nullptr;
  g_object_get(server_.get(), "allowed-origins", &value, nullptr);
  EXPECT_EQ(value, nullptr);
  g_free(value);
  for (const char* wrong : {" ", "https://a.example,", "https://a.example/"}) {
    g_object_set(server_.get(), "allowed-origins", wrong, nullptr);
    EXPECT_EQ(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = bus_->wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error) << wrong;
    EXPECT_THAT(test::error_text(error.get()).message,
                AllOf(HasSubstr("\"allowed-origins\""), HasSubstr("is no origin")));
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
  // As it was.
  for (const char* none : {"", static_cast<const char*>(nullptr)}) {
    g_object_set(server_.get(), "allowed-origins", none, nullptr);
    g_object_get(server_.get(), "allowed-origins", &value, nullptr);
    EXPECT_EQ(value, nullptr);
    g_free(value);
  }
}

TEST_F(ServerElement, WithoutAListNoPageButItsOwnMay) {
  start("", "fakesink");
  const std::string own = "127.0.0.1:" + std::to_string(port());
  const auto preflight = [this](const std::string& host, const std::string& origin) {
    return test::http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: " + host +
                                           "\r\nOrigin: " + origin +
                                           "\r\nAccess-Control-Request-Private-Network: true"
                                           "\r\n\r\n");
  };
  for (const char* page : {"https://any.example", "null", "y"}) {
    EXPECT_THAT(preflight(own, page), AllOf(::testing::StartsWith("HTTP/1.1 403"),
                                            ::testing::Not(HasSubstr("Access-Control-Allow-"))));
  }
  EXPECT_THAT(preflight(own, "http://" + own), ::testing::StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(preflight("evil.example", "http://evil.example"),
              ::testing::StartsWith("HTTP/1.1 403"));
}

TEST_F(ServerElement, EveryPageMayIfThatIsSaid) {
  start("allowed-origins=*", "fakesink");
  EXPECT_THAT(test::http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\nOrigin: y\r\n\r\n"),
              HasSubstr("\r\nAccess-Control-Allow-Origin: *\r\n"));
}

TEST_F(ServerElement, WithAKeyItsOwnPageMayUnderAnyName) {
  start("api-key=sesame", "fakesink");
  EXPECT_THAT(test::http_exchange(
                  port(), "GET /limits HTTP/1.1\r\nHost: box\r\nOrigin: http://box\r\n\r\n"),
              ::testing::StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace webrtcupload
