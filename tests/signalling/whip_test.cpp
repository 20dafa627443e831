// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Offers as SDP, answers as SDP: what is read from the request, and the whole exchange with
// servers.

#include "signalling/whip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "json/json.h"
#include "support/sample_offers.h"
#include "tool/process.h"
#include "tool/server.h"

namespace webrtcupload {
namespace {

using test::http_exchange;
using test::Server;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

HttpRequest request(const std::string& query, const std::string& body = "v=0") {
  HttpRequest made;
  made.method = "POST";
  made.path = HttpServer::kUploadPath;
  made.query = query;
  made.content_type = "application/sdp";
  made.body = body;
  return made;
}

WorkerRequest parsed(const std::string& query) {
  auto result = parse_whip_request(request(query));
  if (const auto* error = std::get_if<HttpError>(&result)) {
    ADD_FAILURE() << query << ": " << error->message;
    return {};
  }
  return std::get<WorkerRequest>(result);
}

TEST(WhipRequest, IsAllResultsAndNoVideoUnlessItSaysOtherwise) {
  const WorkerRequest worker = parsed("");
  EXPECT_EQ(worker.offer_sdp, "v=0");
  EXPECT_FALSE(worker.realtime);
  EXPECT_EQ(worker.data_output, (std::vector<std::string>{"*"}));
  EXPECT_EQ(worker.stream_output, std::vector<std::string>{});
  EXPECT_FALSE(worker.workflow_id);
  EXPECT_FALSE(worker.processing_timeout);
}

TEST(WhipRequest, SaysMoreInItsQuery) {
  const WorkerRequest worker = parsed(
      "realtime=true&data_output=predictions&data_output=im%61ge&workflow_id=people+only&"
      "processing_timeout=2.5&something=else");
  EXPECT_TRUE(worker.realtime);
  EXPECT_EQ(worker.data_output, (std::vector<std::string>{"predictions", "image"}));
  EXPECT_EQ(worker.workflow_id, "people only");
  EXPECT_EQ(worker.processing_timeout, 2.5);
}

TEST(WhipRequest, FaultsAreToldOneByOne) {
  const std::string long_name(257, 'x');
  std::string many;
  for (int i = 0; i < 65; ++i) many += "data_output=a&";
  for (const std::string& query : std::vector<std::string>{
           "realtime=1", "realtime=", "data_output=", "data_output=" + long_name, many,
           "workflow_id=", "workflow_id=" + long_name, "processing_timeout=0",
           "processing_timeout=-1", "processing_timeout=nan", "processing_timeout=inf",
           "processing_timeout=1e999", "processing_timeout=5s", "realtime", "a=%zz", "a=%ff"}) {
    const auto result = parse_whip_request(request(query));
    const auto* error = std::get_if<HttpError>(&result);
    ASSERT_TRUE(error) << query.substr(0, 40);
    EXPECT_EQ(error->status, 400U) << query.substr(0, 40);
    EXPECT_NE(error->message, "");
  }
}

TEST(WhipRequest, HasAnOfferForABody) {
  HttpRequest json = request("");
  json.content_type = "application/json";
  EXPECT_EQ(std::get<HttpError>(parse_whip_request(json)).status, 415U);
  EXPECT_EQ(std::get<HttpError>(parse_whip_request(request("", ""))).status, 400U);
  EXPECT_EQ(std::get<HttpError>(parse_whip_request(request("", "\xff\xfe"))).status, 400U);
}

// -------------------------------------------------------------------------------------------------
// with `serve`

std::string ask(const Server& server, const std::string& method, const std::string& path,
                const std::string& body = "", const std::string& headers = "") {
  return http_exchange(server.port(), method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
                                          "Content-Length: " + std::to_string(body.size()) +
                                          "\r\n" + headers + "\r\n" + body);
}

constexpr const char* kSdp = "Content-Type: application/sdp; charset=utf-8\r\n";

std::string value_of(const std::string& reply, const std::string& name) {
  const std::size_t at = reply.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return reply.substr(begin, reply.find("\r\n", begin) - begin);
}

TEST(Whip, AnOfferIsAnsweredWithAnAnswer) {
  Server server({"--connect-timeout", "600"});
  const std::string reply = ask(server, "POST", "/upload", crlf(kChromiumOffer), kSdp);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 201 "));
  EXPECT_EQ(value_of(reply, "Content-Type"), "application/sdp");
  EXPECT_THAT(reply, HasSubstr("\r\n\r\nv=0\r\n"));
  EXPECT_THAT(reply, HasSubstr("a=candidate:"));
  EXPECT_THAT(reply, HasSubstr("a=inactive"));
  // Relative: a proxy may have the server below a path.
  EXPECT_THAT(value_of(reply, "Location"), StartsWith("sessions/"));
  const std::string session = "/" + value_of(reply, "Location");
  EXPECT_THAT(ask(server, "DELETE", session), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(ask(server, "DELETE", session), StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(server.wait_for_end(1).code, "cancelled");
}

TEST(Whip, RequestsThatAreNotItAreRefused) {
  Server server;
  EXPECT_THAT(ask(server, "POST", "/upload", "{}", "Content-Type: application/json\r\n"),
              StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(ask(server, "POST", "/upload", crlf(kChromiumOffer)), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(ask(server, "POST", "/upload", "hello", kSdp), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(server, "POST", "/upload?data_output=nonsense", crlf(kChromiumOffer), kSdp),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(server, "GET", "/upload"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(ask(server, "PATCH", "/upload"), StartsWith("HTTP/1.1 405 "));
}

TEST(Whip, KeysCountHereAsWell) {
  Server server({"--api-key", "sesame", "--connect-timeout", "0.5"});
  EXPECT_THAT(ask(server, "POST", "/upload", crlf(kChromiumOffer), kSdp),
              StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask(server, "POST", "/upload", crlf(kChromiumOffer),
                  std::string(kSdp) + "Authorization: Bearer sesame\r\n"),
              StartsWith("HTTP/1.1 201 "));
}

TEST(Whip, OptionsSayWhatIsTaken) {
  Server server;
  const std::string reply = ask(server, "OPTIONS", "/upload");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(value_of(reply, "Accept-Post"), "application/sdp");
  EXPECT_THAT(value_of(reply, "Access-Control-Allow-Methods"), HasSubstr("POST"));
  EXPECT_THAT(value_of(reply, "Access-Control-Expose-Headers"), HasSubstr("Location"));
  EXPECT_EQ(value_of(reply, "Link"), "") << "no server for ICE is known";
}

// Whether there is such a session is not told.
TEST(Whip, OptionsOfFurtherConnectionsSayTheSame) {
  Server server({"--ice-server", "stun://127.0.0.1:3478"});
  const std::string path = "/sessions/00112233445566778899aabbccddeeff/connections";
  const std::string reply = ask(server, "OPTIONS", path);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(value_of(reply, "Accept-Post"), "application/sdp");
  EXPECT_EQ(value_of(reply, "Link"), value_of(ask(server, "OPTIONS", "/upload"), "Link"));
  EXPECT_THAT(value_of(reply, "Link"), HasSubstr("stun:127.0.0.1:3478"));
  EXPECT_EQ(value_of(ask(server, "OPTIONS", path + "/one"), "Accept-Post"), "");
}

TEST(Page, IsServedWithAPolicy) {
  Server server;
  const std::string page = ask(server, "GET", "/");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(value_of(page, "Content-Type"), StartsWith("text/html"));
  EXPECT_THAT(value_of(page, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(value_of(page, "X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(page, HasSubstr("<!doctype html>"));
  const std::string etag = value_of(page, "ETag");
  ASSERT_NE(etag, "");
  EXPECT_THAT(ask(server, "GET", "/", "", "If-None-Match: " + etag + "\r\n"),
              StartsWith("HTTP/1.1 304 "));
  const std::string script = ask(server, "GET", "/upload.js");
  EXPECT_THAT(value_of(script, "Content-Type"), StartsWith("text/javascript"));
  EXPECT_EQ(value_of(script, "Content-Security-Policy"), "");
  for (const char* path : {"/index.html", "/%2e%2e/etc/passwd", "/upload.d.ts", "//"}) {
    EXPECT_THAT(ask(server, "GET", path), StartsWith("HTTP/1.1 404 ")) << path;
  }
}

TEST(Page, KnowsTheLimits) {
  Server server({"--max-size", "1234", "--api-key", "sesame"});
  const std::string reply = ask(server, "GET", "/limits");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(reply,
              HasSubstr("\r\n\r\n{\"max_size\":1234,\"keys_required\":true,\"formats\":null,"));
  // What gets in, with the usual chunks of 49,152 bytes, is what is told.
  Server film({"--max-size", "4000000000"});
  EXPECT_THAT(ask(film, "GET", "/limits"), HasSubstr("{\"max_size\":4000000000,"));
  Server few({"--max-size", "4000000000", "--max-chunks", "1000"});
  EXPECT_THAT(ask(few, "GET", "/limits"), HasSubstr("{\"max_size\":49152000,"));
  Server open;
  EXPECT_THAT(
      ask(open, "GET", "/limits"),
      HasSubstr("{\"max_size\":524288000,\"keys_required\":false,\"formats\":null,"
                "\"protocols\":[\"v1\",\"v2\"],\"max_connections\":4,\"resume_timeout\":60}"));
}

}  // namespace
}  // namespace webrtcupload
