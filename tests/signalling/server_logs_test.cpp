// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the log says of webrtcuploadserver, its peers and the requests that it refuses, and what it
// never says.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "glib/glib_ptr.h"
#include "json/json.h"
#include "support/gst_test.h"
#include "support/log.h"
#include "support/peer_pair.h"
#include "tool/process.h"
#include "tool/worker_client.h"

namespace webrtcupload {
namespace {

using test::http_exchange;
using test::WorkerClient;
using ::testing::HasSubstr;

constexpr char kKey[] = "sesame-open-the-door";
constexpr char kServer[] = "webrtcuploadserver front-door: ";

class ServerLogs : public ::testing::Test {
 protected:
  void TearDown() override {
    if (pipeline_) stop();
    pipeline_.reset();
    EXPECT_TRUE(log_.names_everybody());
    EXPECT_TRUE(log_.keeps_secret(kKey));
  }

  void start(const std::string& properties = "") {
    pipeline_ = test::parse_pipeline("webrtcuploadserver name=front-door port=0 " + properties +
                                     " ! fakesink");
    ASSERT_TRUE(pipeline_);
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto server = test::element_named(pipeline_, "front-door");
    guint port = 0;
    g_object_get(server.get(), "port", &port, nullptr);
    port_ = static_cast<int>(port);
  }
  void stop() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  std::string ask(const std::string& request, const std::string& headers = "") const {
    return http_exchange(port_, request + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers +
                                    "Connection: close\r\n\r\n");
  }

  // The session may be asked for, and ended, by whoever knows its number.
  void expect_secret(const std::string& location, const std::string& headers) {
    const std::string number = location.substr(location.rfind('/') + 1);
    ASSERT_GE(number.size(), 16U);
    for (const std::string& request :
         {"GET " + location + "/", "GET /" + location, "GET /." + location, "GET /x" + location,
          "GET /Sessions/" + number, "GET /sessions%2f" + number, "GET /sessions%252f" + number,
          "GET /%73essions/" + number, "GET /sessions?" + number, "GET /" + number,
          "GET /upload/" + number, "GET /limits?session=" + number, "PUT " + location,
          "PUT /" + location, "GET" + location + " /", "GET http://127.0.0.1/" + location,
          "OPTIONS /" + location}) {
      static_cast<void>(ask(request, headers));
      EXPECT_TRUE(log_.keeps_secret(number)) << request;
    }
  }

  test::Log log_{6};
  GstPtr<GstElement> pipeline_;
  int port_ = 0;
};

std::string offer_with(const std::string& sdp, const std::string& key = "none") {
  JsonWriter session;
  session.set("type", "offer").set("sdp", sdp);
  return JsonWriter().set("webrtc_offer", std::move(session).take()).set("api_key", key).text();
}

TEST_F(ServerLogs, ARefusedRequestIsToldWithItsReason) {
  start("api-key=" + std::string(kKey));
  EXPECT_THAT(http_exchange(port_, test::post(offer_with("v=0"))), HasSubstr(" 401 "));
  EXPECT_TRUE(log_.says({kServer, "request of 127.0.0.1: \"POST\" \"/initialise_webrtc_worker\""}));
  EXPECT_TRUE(log_.says({kServer, "request refused: 401 Unauthorized: "}));
  const std::string key = "Authorization: Bearer " + std::string(kKey) + "\r\n";
  EXPECT_THAT(http_exchange(port_, test::post(offer_with("v=0"), key)), HasSubstr(" 400 "));
  EXPECT_TRUE(log_.says({kServer, "request refused: 400 InvalidOffer: "}));
  EXPECT_THAT(http_exchange(port_, test::post("{}", key)), HasSubstr(" 422 "));
  EXPECT_TRUE(log_.says({kServer, "request refused: 422 "}));
  EXPECT_THAT(ask("GET /nothing%0ahere"), HasSubstr(" 404 "));
  EXPECT_TRUE(log_.says({kServer, "request refused: 404 NotFound: "}));
  EXPECT_THAT(ask("PUT /upload"), HasSubstr(" 405 "));
  EXPECT_TRUE(log_.says({kServer, "request refused: 405 MethodNotAllowed: "}));
  EXPECT_THAT(ask("GET /limits", "Origin: https://example.org\r\n"), HasSubstr(" 403 "));
  EXPECT_TRUE(log_.says({kServer, "request refused: 403 Forbidden: ", "https://example.org"}));
  // While it arrives.
  EXPECT_THAT(http_exchange(port_,
                            "POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            "Content-Length: 99999999\r\n\r\n"),
              HasSubstr(" 413 "));
  EXPECT_TRUE(log_.says({kServer, "request refused while it arrives: 413 "}));
  for (const std::string& line : log_.lines()) {
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
  // A key in the body.
  EXPECT_THAT(http_exchange(port_, test::post(offer_with("v=0", kKey))), HasSubstr(" 400 "));
  stop();
  EXPECT_TRUE(log_.says({kServer, "takes no more offers"}));
}

TEST_F(ServerLogs, APeerIsToldFromItsOfferToItsEnd) {
  start("connect-timeout=20000000000 api-key=" + std::string(kKey));
  {
    const std::string key = "Authorization: Bearer " + std::string(kKey) + "\r\n";
    WorkerClient client;
    ASSERT_EQ(client.connect(port_, {}, key), 200);
    EXPECT_TRUE(log_.says({kServer, "a peer has the place: webrtcbin"}));
    EXPECT_TRUE(log_.says({kServer, "the peer is answered"}));
    EXPECT_TRUE(log_.says({kServer, "the peer has 20000 ms to begin its upload"}));
    ASSERT_TRUE(client.wait_open());
    WorkerClient second;
    EXPECT_EQ(second.connect(port_, {}, key), 429);
    EXPECT_TRUE(log_.says({kServer, "request refused: 429 TooManySessions: "}));
    EXPECT_THAT(ask("GET " + client.location(), key), HasSubstr(" 200 "));
    EXPECT_TRUE(log_.says({kServer, "\"GET\" a session"}));
    expect_secret(client.location(), key);
    const std::string answer = client.reply();
    const std::size_t at = answer.find("ice-pwd:") + 8;
    EXPECT_TRUE(log_.keeps_secret(answer.substr(at, answer.find('\\', at) - at)));
    client.hang_up();
    EXPECT_TRUE(log_.says({kServer, "the peer leaves, peer-gone: "}));
    EXPECT_TRUE(log_.says({kServer, "the place is free again"}));
    EXPECT_TRUE(log_.says({"webrtcuploadpeer ", "webrtcbin", "the peer is gone: "}));
    EXPECT_TRUE(log_.says({"webrtcuploadpeer ", "stopped"}));
  }
}

}  // namespace
}  // namespace webrtcupload
