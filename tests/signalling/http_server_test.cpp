// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The HTTP server against clients that do not behave: a real server, raw sockets.

#include "signalling/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include "glib/main_context.h"
#include "tool/process.h"

namespace webrtcupload {
namespace {

using test::http_exchange;
using test::post;
using test::RawHttp;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

AllowedOrigins every_page() {
  AllowedOrigins origins;
  EXPECT_EQ(origins.add("*"), "");
  return origins;
}

// For what a test must not depend on: longer than any test.
constexpr std::chrono::hours kNever{24};

class HttpServerTest : public ::testing::Test {
 protected:
  // A server that echoes bodies, on a thread with a context of its own.
  void serve(HttpServerOptions options, HttpServer::Handler handler = nullptr) {
    if (!handler) {
      handler = [](const HttpRequest& request, const HttpResponder& responder) {
        responder.reply_json(200, request.body);
      };
    }
    std::atomic<int> port = 0;
    thread_ = std::thread([this, &port, options, handler] {
      g_main_context_push_thread_default(context_);
      {
        HttpServer server(options, handler);
        EXPECT_EQ(server.start(), "");
        port = server.port();
        g_main_loop_run(loop_);
      }
      // What the server's end left behind.
      while (g_main_context_iteration(context_, FALSE)) {
      }
      g_main_context_pop_thread_default(context_);
    });
    ASSERT_TRUE(test::eventually([&] { return port != 0; }));
    port_ = port;
  }

  void TearDown() override {
    if (thread_.joinable()) {
      post_to(context_, [this] { g_main_loop_quit(loop_); });
      thread_.join();
    }
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

  GMainContext* context_ = g_main_context_new();
  GMainLoop* loop_ = g_main_loop_new(context_, FALSE);
  std::thread thread_;
  int port_ = 0;
};

TEST_F(HttpServerTest, HandsOverTheBodyAndRepliesInJson) {
  serve({.origins = every_page()});
  const std::string reply = http_exchange(port_, post("{\"a\":1}"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Origin: *"));
  EXPECT_TRUE(reply.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_F(HttpServerTest, ReadsTheBearerToken) {
  serve({}, [](const HttpRequest& request, const HttpResponder& responder) {
    responder.reply_json(200, request.bearer_token.value_or("none"));
  });
  EXPECT_THAT(http_exchange(port_, post("{}", "Authorization: Bearer k1\r\n")), HasSubstr("\nk1"));
  EXPECT_THAT(http_exchange(port_, post("{}", "authorization: bearer k2\r\n")), HasSubstr("\nk2"));
  EXPECT_THAT(http_exchange(port_, post("{}", "Authorization: Basic x\r\n")), HasSubstr("\nnone"));
}

TEST_F(HttpServerTest, Preflight) {
  serve({.origins = every_page()});
  const std::string reply = http_exchange(
      port_,
      "OPTIONS /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"
      "Access-Control-Request-Private-Network: true\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Methods: POST, OPTIONS\r\n"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Headers: Content-Type, Authorization\r\n"));
  EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Private-Network: true\r\n"));
}

TEST_F(HttpServerTest, OtherPathsAndMethods) {
  serve({});
  for (const char* path :
       {"/nothing", "/x", "/initialise_webrtc_worker/x", "/initialise_webrtc_workerx"}) {
    const std::string reply =
        http_exchange(port_, std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 404")) << path;
    EXPECT_THAT(reply, HasSubstr("\"error_type\":\"NotFound\""));
  }
  for (const char* method : {"PUT", "POST", "PATCH"}) {
    const std::string reply =
        http_exchange(port_, std::string(method) + " /sessions/x HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(reply, HasSubstr("Allow: GET, HEAD, DELETE, OPTIONS\r\n"));
  }
  for (const char* method : {"GET", "PUT", "DELETE", "PATCH"}) {
    const std::string reply = http_exchange(
        port_, std::string(method) + " /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(reply, HasSubstr("Allow: POST, OPTIONS\r\n"));
    EXPECT_THAT(reply, HasSubstr("\"error_type\":\"MethodNotAllowed\""));
  }
}

TEST_F(HttpServerTest, AsksForAndDeletesWhatIsBelowSessions) {
  const auto name = [](const HttpRequest& request, const HttpResponder& responder) {
    responder.reply_json(
        200, request.method + " " + request.path + " " + request.bearer_token.value_or("none"));
  };
  serve({.origins = every_page()}, name);
  EXPECT_THAT(http_exchange(port_,
                            "DELETE /sessions/abc HTTP/1.1\r\nHost: x\r\n"
                            "Authorization: Bearer k\r\n\r\n"),
              HasSubstr("\r\n\r\nDELETE /sessions/abc k"));
  EXPECT_THAT(http_exchange(port_, "GET /sessions/abc HTTP/1.1\r\nHost: x\r\n\r\n"),
              HasSubstr("\r\n\r\nGET /sessions/abc none"));
  EXPECT_THAT(http_exchange(port_, "HEAD /sessions/abc HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\n")));
  const std::string preflight = http_exchange(
      port_, "OPTIONS /sessions/abc HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\n\r\n");
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: GET, HEAD, DELETE, OPTIONS\r\n"));
}

TEST_F(HttpServerTest, EveryStatusHasItsPhraseAndPagesSeeTheHeaders) {
  unsigned status = 0;
  serve({.origins = every_page()}, [&](const HttpRequest&, const HttpResponder& responder) {
    responder.reply_json(status, HttpError{status, "T", "M", {}}.body(),
                         {{"Retry-After", "7"}, {"Location", "/sessions/1"}});
  });
  for (const auto& [number, phrase] :
       std::initializer_list<std::pair<unsigned, const char*>>{{400, "Bad Request"},
                                                               {401, "Unauthorized"},
                                                               {402, "Payment Required"},
                                                               {403, "Forbidden"},
                                                               {422, "Unprocessable Content"},
                                                               {429, "Too Many Requests"},
                                                               {500, "Internal Server Error"},
                                                               {503, "Service Unavailable"},
                                                               {504, "Gateway Timeout"}}) {
    status = number;
    const std::string reply = http_exchange(port_, post("{}"));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 " + std::to_string(number) + " " + phrase + "\r\n"));
    EXPECT_THAT(reply, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
    EXPECT_THAT(reply, HasSubstr("Access-Control-Expose-Headers: Link, Location, Retry-After\r\n"));
    EXPECT_THAT(reply, HasSubstr("Retry-After: 7\r\n"));
    EXPECT_THAT(reply, HasSubstr("Location: /sessions/1\r\n"));
  }
}

TEST_F(HttpServerTest, AnErrorBringsTheHeadersThatBelongToIt) {
  HttpError error;
  serve({}, [&](const HttpRequest&, const HttpResponder& responder) { responder.fail(error); });
  struct Row {
    unsigned status;
    const char* type;
    bool asks_for_key;
    bool says_when;
  };
  for (const Row& row :
       {Row{401, "Unauthorized", true, false}, Row{402, "T", false, false},
        Row{403, "Forbidden", false, false}, Row{429, "QuotaExceeded", false, false},
        Row{429, "TooManySessions", false, true}, Row{500, "T", false, false},
        Row{503, "NoPortFree", false, true}, Row{504, "T", false, false}}) {
    error = {row.status, row.type, "M", {}};
    const std::string reply = http_exchange(port_, post("{}"));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 " + std::to_string(row.status) + " "));
    EXPECT_EQ(reply.find("\r\nWWW-Authenticate: Bearer\r\n") != std::string::npos, row.asks_for_key)
        << reply;
    EXPECT_EQ(reply.find("\r\nRetry-After: 5\r\n") != std::string::npos, row.says_when) << reply;
  }
}

TEST_F(HttpServerTest, RefusesAnAnnouncedOversizeBodyWithoutReadingIt) {
  serve({.max_body = 1000});
  const RawHttp http(port_);
  http.send("POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  const std::string reply = http.read_all();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(reply, HasSubstr("larger than the 1000 bytes"));
  EXPECT_THAT(reply, HasSubstr("\"error_type\":\"TooLarge\""));
  EXPECT_THAT(http_exchange(port_, post(std::string(1000, ' '))), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesAnUnannouncedOversizeBodyWhileItArrives) {
  serve({.max_body = 100000});
  const RawHttp http(port_);
  http.send(
      "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "8000\r\n" + std::string(0x8000, 'x') + "\r\n";
  // It never ends by itself: only the server can end it.
  std::thread reader([&] { EXPECT_THAT(http.read_all(), StartsWith("HTTP/1.1 413")); });
  int chunks = 0;
  while (http.send(chunk)) ASSERT_LT(++chunks, 1000000);
  reader.join();
}

TEST_F(HttpServerTest, GivesUpOnHalfARequest) {
  serve({.request_timeout = std::chrono::milliseconds(300)});
  for (const char* half :
       {"", "P", "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\n",
        "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"}) {
    const RawHttp http(port_);
    http.send(half);
    EXPECT_THAT(http.read_all(), Not(HasSubstr("<no end>"))) << half;
  }
  // A whole one may take that long as well, on a busy machine.
  EXPECT_TRUE(test::eventually(
      [&] { return http_exchange(port_, post("{}")).starts_with("HTTP/1.1 200"); }));
}

TEST_F(HttpServerTest, ADroppedConnectionIsForgotten) {
  serve({});
  for (int i = 0; i < 300; ++i) {
    const RawHttp http(port_);
    http.send("POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
  }
  EXPECT_THAT(http_exchange(port_, post("{}")), StartsWith("HTTP/1.1 200"));
}

// Connections are accepted in the order in which they were made.
TEST_F(HttpServerTest, AboveTheLimitTheLongestIdleMakesWay) {
  serve({.max_connections = 4, .request_timeout = kNever});
  std::vector<std::unique_ptr<RawHttp>> idle;
  const auto open = [&](const std::string& part) {
    idle.push_back(std::make_unique<RawHttp>(port_));
    idle.back()->send(part);
  };
  const std::string whole = post("{}");
  for (std::size_t i = 0; i < 4; ++i) open(whole.substr(0, i * 30));
  for (std::size_t i = 0; i < 8; ++i) {
    open(whole.substr(0, i));
    EXPECT_THAT(idle[i]->read_all(), Not(HasSubstr("<no end>"))) << i;
  }
  // The others are as they were.
  for (std::size_t i = 8; i < 12; ++i) {
    idle[i]->send(whole.substr(i - 4));
    EXPECT_THAT(idle[i]->read_all(), StartsWith("HTTP/1.1 200")) << i;
  }
}

TEST_F(HttpServerTest, WhoMakesWayIsToldThatItIsLate) {
  serve({.max_connections = 1, .request_timeout = kNever});
  const RawHttp idle(port_);
  EXPECT_THAT(http_exchange(port_, post("{}")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(idle.read_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(HttpServerTest, WhoseRequestIsBeingAnsweredStays) {
  std::vector<HttpResponder> kept;
  std::atomic<std::size_t> waiting = 0;
  serve({.max_connections = 3, .request_timeout = kNever},
        [&](const HttpRequest& request, HttpResponder responder) {
          if (request.body != "wait") return responder.reply_json(200, "{}");
          kept.push_back(std::move(responder));
          ++waiting;
        });
  std::vector<std::unique_ptr<RawHttp>> clients;
  const auto ask_and_wait = [&] {
    clients.push_back(std::make_unique<RawHttp>(port_));
    clients.back()->send(post("wait"));
    return test::eventually([&] { return waiting == clients.size(); });
  };
  ASSERT_TRUE(ask_and_wait());
  ASSERT_TRUE(ask_and_wait());
  {
    // Younger than those, and yet it has to go.
    const RawHttp idle(port_);
    ASSERT_TRUE(ask_and_wait());
    EXPECT_THAT(idle.read_all(), StartsWith("HTTP/1.1 408"));
  }
  EXPECT_EQ(http_exchange(port_, post("{}")), "") << "there is nobody who could make way";

  post_to(context_, [&] {
    for (const HttpResponder& responder : kept) responder.reply_json(200, "{}");
  });
  for (const auto& client : clients) EXPECT_THAT(client->read_all(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(test::eventually(
      [&] { return http_exchange(port_, post("{}")).starts_with("HTTP/1.1 200"); }));
}

// More than the sockets' buffers hold.
TEST_F(HttpServerTest, WhoDoesNotTakeItsReplyIsLetGo) {
  const std::string large(64 * 1024 * 1024, ' ');
  std::atomic<bool> asked = false;
  serve({.max_connections = 1, .request_timeout = std::chrono::milliseconds(300)},
        [&](const HttpRequest& request, const HttpResponder& responder) {
          responder.reply_json(200, request.body == "large" ? large : "{}");
          if (request.body == "large") asked = true;
        });
  const RawHttp http(port_);
  http.send(post("large"));
  ASSERT_TRUE(test::eventually([&] { return asked.load(); }));
  EXPECT_TRUE(test::eventually(
      [&] { return http_exchange(port_, post("{}")).starts_with("HTTP/1.1 200"); }));
  EXPECT_LT(http.read_all().size(), large.size());
}

TEST_F(HttpServerTest, NonsenseIsAnsweredOrDropped) {
  serve({});
  for (const std::string& nonsense :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(100, '\0') + "\r\n\r\n",
        std::string("POST * HTTP/9.9\r\n\r\n"), std::string("\x16\x03\x01\x02\r\n\r\n"),
        std::string("POST /../initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string("POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nContent-Length: "
                    "-1\r\n\r\n")}) {
    const RawHttp http(port_);
    http.send(nonsense);
    shutdown(http.fd, SHUT_WR);
    EXPECT_THAT(http.read_all(), Not(HasSubstr("<no end>"))) << nonsense;
  }
  EXPECT_THAT(http_exchange(port_, post("{}")), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RepliesLater) {
  serve({}, [this](const HttpRequest&, const HttpResponder& responder) {
    post_to(context_, [responder] { responder.fail({429, "Busy", "Later.", {}}); });
  });
  const std::string reply = http_exchange(port_, post("{}"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(reply, HasSubstr("{\"message\":\"Later.\",\"error_type\":\"Busy\"}"));
}

TEST_F(HttpServerTest, AForgottenResponderIsA500) {
  serve({}, [](const HttpRequest&, const HttpResponder&) {});
  EXPECT_THAT(http_exchange(port_, post("{}")), StartsWith("HTTP/1.1 500"));
}

TEST_F(HttpServerTest, AReplyMayComeAfterTheClientOrTheServerHasGone) {
  std::vector<HttpResponder> kept;
  std::atomic<int> asked = 0;
  serve({}, [&](const HttpRequest&, HttpResponder responder) {
    kept.push_back(std::move(responder));
    ++asked;
  });
  for (int i = 0; i < 2; ++i) {
    const RawHttp http(port_);
    http.send(post("{}"));
    ASSERT_TRUE(test::eventually([&] { return asked == i + 1; }));
  }
  post_to(context_, [this] { g_main_loop_quit(loop_); });
  thread_.join();
  for (const HttpResponder& responder : kept) responder.reply_json(200, "{}");
}

TEST_F(HttpServerTest, AClientThatLeavesBeforeItsReplyIsNoticed) {
  std::vector<HttpResponder> kept;
  std::atomic<int> asked = 0;
  std::atomic<int> gone = 0;
  serve({}, [&](const HttpRequest&, HttpResponder responder) {
    responder.on_gone([&] { ++gone; });
    kept.push_back(std::move(responder));
    ++asked;
  });
  {
    const RawHttp leaves(port_);
    leaves.send(post("{}"));
    ASSERT_TRUE(test::eventually([&] { return asked == 1; }));
    EXPECT_EQ(gone, 0);
  }
  EXPECT_TRUE(test::eventually([&] { return gone == 1; }));

  auto resets = std::make_unique<RawHttp>(port_);
  resets->send(post("{}"));
  ASSERT_TRUE(test::eventually([&] { return asked == 2; }));
  const linger at_once{1, 0};
  setsockopt(resets->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  resets.reset();
  EXPECT_TRUE(test::eventually([&] { return gone == 2; }));

  // Only its sending half: it reads what came of it.
  const RawHttp half(port_);
  half.send(post("{}"));
  ASSERT_TRUE(test::eventually([&] { return asked == 3; }));
  shutdown(half.fd, SHUT_WR);
  EXPECT_THAT(half.read_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(test::eventually([&] { return gone == 3; }));

  // One that was replied to has not left before its reply.
  const RawHttp stays(port_);
  stays.send(post("{}"));
  ASSERT_TRUE(test::eventually([&] { return asked == 4; }));
  post_to(context_, [&] { kept.back().reply_json(200, "{}"); });
  EXPECT_THAT(stays.read_all(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(gone, 3);
  post_to(context_, [this] { g_main_loop_quit(loop_); });
  thread_.join();
}

// What comes unasked after a request must not keep the server busy.
TEST_F(HttpServerTest, MoreThanOneRequestAtOnceIsNoReasonToSpin) {
  std::atomic<int> asked = 0;
  serve({}, [&](const HttpRequest&, const HttpResponder& responder) {
    ++asked;
    responder.on_gone([] { ADD_FAILURE(); });
    post_to(context_, [responder] { responder.reply_json(200, "{}"); });
  });
  EXPECT_THAT(http_exchange(port_, post("{}") + post("{}")), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(asked, 1);
}

TEST_F(HttpServerTest, ALateRequestOfNobodyKnowsWhoseIsNotForEveryPage) {
  AllowedOrigins origins;
  ASSERT_EQ(origins.add("https://page.example"), "");
  serve({.request_timeout = std::chrono::milliseconds(100), .origins = origins});
  const RawHttp http(port_);
  const std::string reply = http.read_all();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(reply, HasSubstr("\r\nVary: Origin\r\n"));
  EXPECT_THAT(reply, Not(HasSubstr("Access-Control-Allow-Origin")));
}

TEST(HttpServer, SaysWhyItCannotListen) {
  HttpServer first({}, nullptr);
  ASSERT_EQ(first.start(), "");
  HttpServer second({.port = first.port()}, nullptr);
  EXPECT_THAT(second.start(), HasSubstr("port " + std::to_string(first.port())));
  HttpServer third({.address = "nowhere"}, nullptr);
  EXPECT_THAT(third.start(), HasSubstr("\"nowhere\" is not an IP address"));
}

}  // namespace
}  // namespace webrtcupload
