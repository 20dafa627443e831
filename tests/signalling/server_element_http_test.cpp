// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a webrtcuploadserver answers over HTTP, and which settings of that make no sense.

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>

#include "signalling/server_element.h"
#include "tool/process.h"

namespace webrtcupload::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(ServerElement, RequestsThatCanBeReadInTwoWaysAreRefused) {
  start("", "fakesink");
  const std::string begin = "POST /upload HTTP/1.1\r\nHost: x\r\n";
  const std::string hidden = "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto status_of = [&](const std::string& request) {
    return http_exchange(port(), request).substr(0, 12);
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

TEST_F(ServerElement, TellsItsServersForIceToWhoAsks) {
  start("stun-server=stun://stun.invalid:3478 turn-server=turn://me:s%22cret@turn.invalid:3478",
        "fakesink");
  EXPECT_THAT(http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("\r\nLink: <stun:stun.invalid:3478>; rel=\"ice-server\", "
                        "<turn:turn.invalid:3478?transport=udp>; rel=\"ice-server\"; "
                        "username=\"me\"; credential=\"s\\\"cret\"; "
                        "credential-type=\"password\"\r\n"));
}

TEST_F(ServerElement, TellsCredentialsForIceToWhoHasTheKey) {
  start("api-key=sesame turn-server=turn://me:secret@turn.invalid:3478", "fakesink");
  const auto ask = [this](const std::string& header) {
    return http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n" + header + "\r\n");
  };
  EXPECT_THAT(ask(""), ::testing::Not(HasSubstr("turn.invalid")));
  EXPECT_THAT(ask("Authorization: Bearer sesam\r\n"), ::testing::Not(HasSubstr("turn.invalid")));
  EXPECT_THAT(ask("Authorization: Bearer sesame\r\n"), HasSubstr("credential=\"secret\""));
}

TEST_F(ServerElement, ShowsThePageAndItsLimits) {
  start("", "fakesink");
  EXPECT_THAT(http_exchange(port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("<!doctype html>"));
  EXPECT_THAT(
      http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n"),
      HasSubstr("{\"max_size\":524288000,\"keys_required\":false,\"formats\":null,"
                "\"protocols\":[\"v1\",\"v2\"],\"max_connections\":8,\"resume_timeout\":60}"));
}

TEST_F(ServerElement, TellsWhatItsChunksAllow) {
  make("", "fakesink");
  gst_child_proxy_set(GST_CHILD_PROXY(server_.get()), "upload::max-size", guint64{4'000'000'000},
                      "upload::max-chunks", 100U, nullptr);
  play();
  EXPECT_THAT(http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("{\"max_size\":4915200,"));
}

TEST_F(ServerElement, APortThatIsTakenIsAnError) {
  start("", "fakesink");
  const auto other =
      parse_pipeline("webrtcuploadserver port=" + std::to_string(port()) + " ! fakesink");
  BusLog bus(other.get());
  EXPECT_EQ(gst_element_set_state(other.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(error_text(error.get()).message, HasSubstr(std::to_string(port())));
  gst_element_set_state(other.get(), GST_STATE_NULL);
}

TEST_F(ServerElement, CredentialsThatNoHeaderCanHoldAreAnError) {
  for (const char* credentials : {"me:a%0d%0aX-Injected:%20yes", "m%7fe:a", "me:%ff"}) {
    const auto pipeline =
        parse_pipeline("webrtcuploadserver port=0 turn-server=turn://" + std::string(credentials) +
                       "@turn.invalid:3478 ! fakesink");
    BusLog bus(pipeline.get());
    EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE)
        << credentials;
    EXPECT_TRUE(bus.wait(GST_MESSAGE_ERROR)) << credentials;
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

TEST_F(ServerElement, AServerForIceThatIsNoneIsAnError) {
  const auto pipeline = parse_pipeline("webrtcuploadserver port=0 stun-server=nonsense ! fakesink");
  BusLog bus(pipeline.get());
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(error_text(error.get()).message, HasSubstr("stun-server"));
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
    const auto pipeline = parse_pipeline(std::string("webrtcuploadserver port=0 ") +
                                         wrong.properties + " ! fakesink");
    BusLog bus(pipeline.get());
    EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = bus.wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error) << wrong.properties;
    EXPECT_THAT(error_text(error.get()).message,
                AllOf(HasSubstr(wrong.name), HasSubstr(wrong.reason)));
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

TEST_F(ServerElement, RefusesPagesThatAreNotAllowed) {
  start("allowed-origins=\"https://a.example, http://b.example:8080\"", "fakesink");
  const auto ask = [this](const std::string& origin) {
    return http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: 127.0.0.1:" +
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
    EXPECT_THAT(error_text(error.get()).message,
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
    return http_exchange(port(), "OPTIONS /upload HTTP/1.1\r\nHost: " + host +
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
  EXPECT_THAT(http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: x\r\nOrigin: y\r\n\r\n"),
              HasSubstr("\r\nAccess-Control-Allow-Origin: *\r\n"));
}

TEST_F(ServerElement, WithAKeyItsOwnPageMayUnderAnyName) {
  start("api-key=sesame", "fakesink");
  EXPECT_THAT(
      http_exchange(port(), "GET /limits HTTP/1.1\r\nHost: box\r\nOrigin: http://box\r\n\r\n"),
      ::testing::StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace webrtcupload::test
