// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which web pages may use a server: how origins are read and compared, and what
// `webrtc-upload serve --allow-origin` says to requests that come from pages.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "signalling/allowed_origins.h"
#include "signalling/worker_request.h"
#include "support/sample_offers.h"
#include "tool/server.h"

namespace webrtcupload {
namespace {

using test::http_exchange;
using test::Process;
using test::Server;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Origins, HaveOneForm) {
  for (const auto& [text, form] : std::initializer_list<std::pair<const char*, const char*>>{
           {"https://example.org", "https://example.org"},
           {"HTTPS://Example.ORG", "https://example.org"},
           {"https://example.org:443", "https://example.org"},
           {"http://example.org:80", "http://example.org"},
           {"http://example.org:443", "http://example.org:443"},
           {"https://example.org:80", "https://example.org:80"},
           {"http://example.org:080", "http://example.org"},
           {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
           {"http://[::1]:8080", "http://[::1]:8080"},
           {"http://[0:0::0001]", "http://[::1]"},
           {"http://[FE80::A]", "http://[fe80::a]"},
           {"http://localhost", "http://localhost"},
           {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
           {"https://a_b.example", "https://a_b.example"},
           {"chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"},
           {"null", "null"}}) {
    EXPECT_EQ(normal_origin(text), form) << text;
    EXPECT_EQ(AllowedOrigins().add(text), "") << text;
  }
}

TEST(Origins, WhatIsNoneIsRefusedWithTheReason) {
  for (const auto& [text, reason] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", "scheme"},
           {"example.org", "scheme"},
           {"example.org:8080", "scheme"},
           {"://example.org", "scheme"},
           {"1http://example.org", "scheme"},
           {"NULL", "scheme"},
           {"https://example.org/", "goes on behind"},
           {"https://example.org/page", "goes on behind"},
           {"https://example.org?x", "goes on behind"},
           {"https://example.org#x", "goes on behind"},
           {"https://", "neither a name nor an IP address"},
           {"https://:8080", "neither a name nor an IP address"},
           {"https://*.example.org", "neither a name nor an IP address"},
           {"https://a..b", "neither a name nor an IP address"},
           {"https://.a", "neither a name nor an IP address"},
           {"https://::1", "neither a name nor an IP address"},
           {"https://[::1", "neither a name nor an IP address"},
           {"https://[::1%25eth0]", "neither a name nor an IP address"},
           {"https://[127.0.0.1]", "neither a name nor an IP address"},
           {"https://1.2.3.4.5", "neither a name nor an IP address"},
           {"https://127.1", "neither a name nor an IP address"},
           {"https://256.0.0.1", "neither a name nor an IP address"},
           {"https://me@example.org", "user name"},
           {"https://example.org:", "port"},
           {"https://example.org:0", "port"},
           {"https://example.org:65536", "port"},
           {"https://example.org:99999999999999999999", "port"},
           {"https://example.org:+1", "port"},
           {"https://b\xc3\xbc"
            "cher.example",
            "not ASCII"},
           {"https://\xff", "not ASCII"},
           {"https://example.org https://other.example", "space"},
           {"https://example.org, https://other.example", "space"},
           {" https://example.org", "space"},
           {"https://example.org\r\nX: y", "space"}}) {
    AllowedOrigins origins;
    const std::string problem = origins.add(text);
    EXPECT_THAT(problem, HasSubstr(reason)) << text;
    EXPECT_THAT(problem, HasSubstr("is no origin (scheme://host[:port])"));
    EXPECT_EQ(normal_origin(text), "") << text;
    EXPECT_FALSE(origins.all() || origins.lists("https://any.example")) << "nothing was added";
  }
  EXPECT_THAT(AllowedOrigins().add("https://" + std::string(300, 'a')), HasSubstr("neither"));
}

TEST(Origins, AreComparedInThatForm) {
  AllowedOrigins origins;
  for (const char* any : {"https://anything.example", "https://example.org", "null", "", "*"}) {
    EXPECT_FALSE(origins.lists(any)) << any << " of none";
  }
  ASSERT_EQ(origins.add("https://Example.org:443"), "");
  EXPECT_FALSE(origins.all());
  for (const char* same :
       {"https://example.org", "https://example.org:443", "HTTPS://EXAMPLE.ORG"}) {
    EXPECT_TRUE(origins.lists(same)) << same;
  }
  for (const char* other :
       {"http://example.org", "https://example.org:8443", "https://www.example.org",
        "https://example.org.evil.example", "https://evil.example", "https://example.org.", "null",
        "", "*", "example.org", "https://example.org https://example.org"}) {
    EXPECT_FALSE(origins.lists(other)) << other;
  }
  ASSERT_EQ(origins.add("null"), "");
  EXPECT_TRUE(origins.lists("null"));
  ASSERT_EQ(origins.add("*"), "");
  EXPECT_TRUE(origins.lists("https://evil.example"));
}

TEST(Origins, AListHasCommas) {
  AllowedOrigins origins;
  ASSERT_EQ(origins.add_list("https://a.example, http://b.example:8080 ,null"), "");
  EXPECT_TRUE(origins.lists("https://a.example"));
  EXPECT_TRUE(origins.lists("http://b.example:8080"));
  EXPECT_TRUE(origins.lists("null"));
  EXPECT_FALSE(origins.lists("http://b.example"));
  AllowedOrigins all;
  ASSERT_EQ(all.add_list("*"), "");
  EXPECT_TRUE(all.all());
  for (const char* wrong : {"", " ", ",", "https://a.example,", ",https://a.example",
                            "https://a.example https://b.example", "https://a.example;null"}) {
    EXPECT_NE(AllowedOrigins().add_list(wrong), "") << wrong;
  }
}

TEST(Origins, TheServersOwnIsTheHostThatWasAsked) {
  EXPECT_EQ(own_origin("http://127.0.0.1:8080", "127.0.0.1:8080"), OwnOrigin::kYes);
  EXPECT_EQ(own_origin("http://localhost:8080", "LocalHost:8080"), OwnOrigin::kYes);
  EXPECT_EQ(own_origin("http://[::1]:8080", "[::1]:8080"), OwnOrigin::kYes);
  EXPECT_EQ(own_origin("http://192.0.2.7", "192.0.2.7"), OwnOrigin::kYes);
  EXPECT_EQ(own_origin("http://192.0.2.7", "192.0.2.7:80"), OwnOrigin::kYes);
  // Behind a proxy with TLS.
  EXPECT_EQ(own_origin("https://192.0.2.7", "192.0.2.7"), OwnOrigin::kYes);
  EXPECT_EQ(own_origin("https://192.0.2.7", "192.0.2.7:443"), OwnOrigin::kYes);

  EXPECT_EQ(own_origin("http://evil.example:8080", "evil.example:8080"), OwnOrigin::kByName);
  EXPECT_EQ(own_origin("http://x.localhost:8080", "x.localhost:8080"), OwnOrigin::kByName);

  for (const auto& [origin, host] : std::initializer_list<std::pair<const char*, const char*>>{
           {"http://127.0.0.1:8081", "127.0.0.1:8080"},
           {"http://127.0.0.1", "127.0.0.1:8080"},
           {"http://127.0.0.1:8080", "127.0.0.1"},
           {"https://192.0.2.7", "192.0.2.7:80"},
           {"http://127.0.0.1:8080", "localhost:8080"},
           {"http://evil.example:8080", "127.0.0.1:8080"},
           {"http://127.0.0.1:8080", ""},
           {"http://127.0.0.1:8080", "127.0.0.1:8080, 127.0.0.1:8080"},
           {"http://127.0.0.1:8080", "127.0.0.1:8080:8080"},
           {"http://127.0.0.1:8080", "me@127.0.0.1:8080"},
           {"http://127.0.0.1:8080", "127.0.0.1:"},
           {"app://127.0.0.1", "127.0.0.1"},
           {"null", "null"},
           {"", ""}}) {
    EXPECT_EQ(own_origin(origin, host), OwnOrigin::kNo) << origin << " " << host;
  }
}

class ServeOrigins : public ::testing::Test {
 protected:
  // Its sessions' clients do not connect; tests end them, and not the clock.
  void serve(const std::vector<std::string>& origins, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--connect-timeout", "600", "--max-sessions", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    for (const std::string& origin : origins) {
      arguments.insert(arguments.end(), {"--allow-origin", origin});
    }
    server_ = std::make_unique<Server>(arguments, "fakesink");
  }
  [[nodiscard]] std::string address() const {
    return "127.0.0.1:" + std::to_string(server_->port());
  }
  // With the headers as they are; "Host" among them.
  [[nodiscard]] std::string ask(const std::string& method, const std::string& path,
                                const std::string& headers, const std::string& body = "") const {
    return http_exchange(server_->port(), method + " " + path + " HTTP/1.1\r\nContent-Length: " +
                                              std::to_string(body.size()) + "\r\n" + headers +
                                              "\r\n" + body);
  }
  [[nodiscard]] std::string from(const std::string& origin) const {
    return "Host: " + address() + "\r\nOrigin: " + origin + "\r\n";
  }
  static std::string offer() {
    WorkerRequest request;
    request.offer_sdp = crlf(kWebrtcbinOffer);
    return write_worker_request(request);
  }

  std::unique_ptr<Server> server_;
};

// Every page that a browser on this machine shows is within reach of the server.
TEST_F(ServeOrigins, WithoutAListNoPageButItsOwnMay) {
  serve({});
  for (const char* origin : {"https://any.example", "http://localhost:1", "null", "nonsense"}) {
    EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from(origin), offer()),
                StartsWith("HTTP/1.1 403 Forbidden\r\n"))
        << origin;
    EXPECT_THAT(ask("GET", "/limits", from(origin)), StartsWith("HTTP/1.1 403")) << origin;
    // As Chromium asks before a page of the internet may talk to this machine.
    const std::string preflight = ask("OPTIONS", "/upload",
                                      from(origin) +
                                          "Access-Control-Request-Method: POST\r\n"
                                          "Access-Control-Request-Private-Network: true\r\n");
    EXPECT_THAT(preflight, AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("\r\nVary: Origin\r\n"),
                                 Not(HasSubstr("Access-Control-Allow-"))))
        << origin;
  }
  // A name that leads here, and no key that its page would have to show.
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker",
                  "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\n", offer()),
              StartsWith("HTTP/1.1 403"));
  // None of them has taken the only place.
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from("http://" + address()), offer()),
              StartsWith("HTTP/1.1 200"));
  const std::string program = ask("GET", "/limits", "Host: " + address() + "\r\n");
  EXPECT_THAT(program, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\nVary: Origin\r\n"),
                             Not(HasSubstr("Access-Control-Allow-Origin"))));
}

TEST_F(ServeOrigins, EveryPageMayIfThatIsSaid) {
  serve({"*"});
  EXPECT_THAT(ask("OPTIONS", "/upload",
                  from("https://any.example") + "Access-Control-Request-Private-Network: true\r\n"),
              AllOf(StartsWith("HTTP/1.1 204"), HasSubstr("\r\nAccess-Control-Allow-Origin: *\r\n"),
                    HasSubstr("\r\nAccess-Control-Allow-Private-Network: true\r\n"),
                    Not(HasSubstr("\r\nVary:"))));
  EXPECT_THAT(ask("GET", "/limits", from("nonsense")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from("https://any.example"), offer()),
              StartsWith("HTTP/1.1 200"));
}

// Such a page has no key; the server's own, called by its name, has the one that its person types.
TEST_F(ServeOrigins, ItsOwnPageMayUnderAnyNameWhereKeysAreAskedFor) {
  serve({}, {"--api-key", "sesame"});
  const std::string named = "Host: box.example:8080\r\nOrigin: http://box.example:8080\r\n";
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", named, offer()), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker",
                  "Host: box.example:8080\r\nOrigin: http://other.example:8080\r\n"
                  "Authorization: Bearer sesame\r\n",
                  offer()),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(
      ask("POST", "/initialise_webrtc_worker", named + "Authorization: Bearer sesame\r\n", offer()),
      StartsWith("HTTP/1.1 200"));
}

TEST_F(ServeOrigins, AListedPageMayAndIsNamed) {
  serve({"https://Page.example:443", "http://other.example:8080"});
  for (const char* origin : {"https://page.example", "http://other.example:8080"}) {
    const std::string preflight = ask("OPTIONS", "/initialise_webrtc_worker", from(origin));
    EXPECT_THAT(preflight,
                AllOf(StartsWith("HTTP/1.1 204"),
                      HasSubstr("\r\nAccess-Control-Allow-Origin: " + std::string(origin) + "\r\n"),
                      HasSubstr("\r\nVary: Origin\r\n"),
                      HasSubstr("\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n")));
    EXPECT_THAT(
        ask("GET", "/limits", from(origin)),
        AllOf(StartsWith("HTTP/1.1 200"),
              HasSubstr("\r\nAccess-Control-Allow-Origin: " + std::string(origin) + "\r\n")));
  }
  // Also when the answer is no.
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from("https://page.example"), "{"),
              AllOf(StartsWith("HTTP/1.1 400"),
                    HasSubstr("\r\nAccess-Control-Allow-Origin: https://page.example\r\n")));
  const test::RawHttp large(server_->port());
  large.send("POST /upload HTTP/1.1\r\n" + from("https://page.example") +
             "Content-Length: 1000000\r\n\r\n");
  EXPECT_THAT(large.read_all(),
              AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("\r\nVary: Origin\r\n"),
                    HasSubstr("\r\nAccess-Control-Allow-Origin: https://page.example\r\n")));
}

// A browser sends some requests before it asks whether it may: they must not be carried out.
TEST_F(ServeOrigins, OtherPagesAreRefusedWhateverTheyAsk) {
  serve({"https://page.example"});
  for (const std::string& origin :
       {std::string("https://evil.example"), std::string("http://page.example"),
        std::string("https://page.example.evil.example"), std::string("null"), std::string(""),
        std::string("https://page.example https://evil.example"),
        std::string("https://page.example\r\nOrigin: https://evil.example"),
        "http://127.0.0.1:" + std::to_string(server_->port() ^ 1)}) {
    for (const auto& [method, path] : std::initializer_list<std::pair<const char*, const char*>>{
             {"POST", "/initialise_webrtc_worker"},
             {"POST", "/upload"},
             {"OPTIONS", "/upload"},
             {"DELETE", "/sessions/1"},
             {"GET", "/sessions/1"},
             {"GET", "/"},
             {"GET", "/limits"},
             {"GET", "/nothing"}}) {
      const std::string reply = ask(method, path, from(origin), method[0] == 'P' ? offer() : "");
      EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 403 Forbidden\r\n"),
                               HasSubstr("\r\nContent-Type: application/json\r\n"),
                               HasSubstr("\r\nVary: Origin\r\n"),
                               HasSubstr("\"error_type\":\"Forbidden\"}"),
                               Not(HasSubstr("Access-Control-Allow-"))))
          << method << " " << path << " from " << origin;
    }
  }
  EXPECT_THAT(ask("POST", "/upload", from("HTTPS://Evil.example:443")),
              HasSubstr("\r\n\r\n{\"message\":\"Pages of https://evil.example may not use this "
                        "server.\",\"error_type\":\"Forbidden\"}"));
  const test::RawHttp large(server_->port());
  large.send("POST /upload HTTP/1.1\r\n" + from("https://evil.example") +
             "Content-Length: 1000000\r\n\r\n");
  EXPECT_THAT(large.read_all(),
              AllOf(StartsWith("HTTP/1.1 413"), Not(HasSubstr("Access-Control-Allow-"))));

  // None of them has taken the only place.
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from("https://page.example"), offer()),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(ServeOrigins, ProgramsAndTheServersOwnPageMay) {
  serve({"https://page.example"});
  const std::string program =
      ask("POST", "/initialise_webrtc_worker", "Host: " + address() + "\r\n", "{");
  EXPECT_THAT(program, AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("\r\nVary: Origin\r\n"),
                             Not(HasSubstr("Access-Control-Allow-Origin"))));
  EXPECT_THAT(ask("GET", "/", "Host: " + address() + "\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("OPTIONS", "/upload", from("http://" + address())),
              AllOf(StartsWith("HTTP/1.1 204"), Not(HasSubstr("Access-Control-Allow-Origin"))));
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker", from("http://" + address()), offer()),
              StartsWith("HTTP/1.1 200"));
}

// A page of evil.example whose name has come to mean 127.0.0.1 asks under that name.
TEST_F(ServeOrigins, ANameThatLeadsHereIsNotTheServersOwn) {
  serve({"https://page.example"});
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker",
                  "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\n", offer()),
              AllOf(StartsWith("HTTP/1.1 403"),
                    HasSubstr("under this name only if http://evil.example:8080 is allowed to")));
  EXPECT_THAT(ask("POST", "/initialise_webrtc_worker",
                  "Host: page.example\r\nOrigin: https://page.example\r\n", offer()),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(ServeOrigins, WhatIsNoOriginIsRefusedAtTheStart) {
  for (const char* wrong : {"", "example.org", "https://example.org/", "https://*.example.org"}) {
    Process process({test::program(), "serve", "--port", "0", "--pipeline", "fakesink",
                     "--allow-origin", "https://good.example", "--allow-origin", wrong});
    EXPECT_EQ(process.wait_for_exit(), 2) << wrong;
    EXPECT_TRUE(
        test::eventually([&] { return process.errors().find("--help") != std::string::npos; }));
    EXPECT_THAT(process.errors(), HasSubstr("--allow-origin: \"" + std::string(wrong) +
                                            "\" is no origin (scheme://host[:port]): it"));
  }
}

}  // namespace
}  // namespace webrtcupload
