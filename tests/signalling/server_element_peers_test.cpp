// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers of a webrtcuploadserver: one at a time, and what one leaves behind is not for the next.

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include "glib/elements_in.h"
#include "glib/signal_connection.h"
#include "signalling/server_element.h"
#include "support/sample_offers.h"
#include "support/taken_udp_port.h"
#include "tool/process.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using ::testing::HasSubstr;

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

// Nothing of it stays, and the next one gets the place.
TEST_F(ServerElement, APeerThatOpensTooManyChannelsLosesThePlace) {
  start("", "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  ASSERT_TRUE(client.wait_open());
  const std::string path = client.location();
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(client.open("another"));
  EXPECT_TRUE(eventually([&] {
    return http_exchange(port(), "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
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
  EXPECT_EQ(error_text(error.get()).code, "peer-gone");
}

TEST_F(ServerElement, DeleteFreesThePlace) {
  start("", "fakesink");
  WorkerClient client;
  ASSERT_EQ(client.connect(port(), batch()), 200);
  const std::string path = client.location();
  const std::string wrong =
      http_exchange(port(), "DELETE /sessions/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(wrong, ::testing::StartsWith("HTTP/1.1 404"));
  const std::string gone =
      http_exchange(port(), "DELETE " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
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
  const std::string path = client.location();
  const auto ask = [&](const std::string& what) {
    return http_exchange(port(),
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

TEST_F(ServerElement, BadOffersTakeNoPlace) {
  start("", "fakesink");
  for (const std::string& offer : {std::string(), std::string("v=0"), std::string("x"),
                                   std::string(100'000, 'a'), std::string("v=0\r\nm=audio")}) {
    WorkerRequest request = batch();
    request.offer_sdp = offer;
    EXPECT_THAT(http_exchange(port(), post(write_worker_request(request))),
                ::testing::StartsWith("HTTP/1.1 4"));
  }
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 200);
}

// A connection whose last word, DTLS's close alert, is held up until open() is called.
class HeldGoodbye {
 public:
  void hold(GstElement* webrtcbin) {
    for (const auto& dtlsenc : elements_made_by(GST_BIN(webrtcbin), inner::kDtlsEncoder)) {
      const GstPtr<GstPad> pad(gst_element_get_static_pad(dtlsenc.get(), "sink"));
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
  }
  [[nodiscard]] bool wait_begun() {
    return begun_.get_future().wait_for(kDeadline) == std::future_status::ready;
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
  EXPECT_EQ(stopped.wait_for(kDeadline), std::future_status::ready);
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
    const RawHttp http(port());
    ASSERT_TRUE(http.send(post(write_worker_request(request))));
    ASSERT_EQ(offer.taken.get_future().wait_for(kDeadline), std::future_status::ready);
  }
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
  EXPECT_FALSE(offer.stopped_amid);
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
  TakenUdpPort taken;
  const std::string udp_port = taken.number();
  start(taken.as_only_port(), "fakesink");
  WorkerClient client;
  EXPECT_EQ(client.connect(port(), batch()), 503);
  EXPECT_THAT(client.reply(), HasSubstr("none of the UDP ports " + udp_port + " is free"));
  // The place is free again.
  taken.release();
  EXPECT_TRUE(eventually([&] {
    WorkerClient next;
    return next.connect(port(), batch()) == 200;
  }));
}

}  // namespace
}  // namespace webrtcupload::test
