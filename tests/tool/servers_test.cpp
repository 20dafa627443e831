// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` and `webrtcuploadserver` are two servers with one behaviour: what a client
// is told over HTTP is the same, to the letter, and so is what an operator may say.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "process.h"
#include "server.h"
#include "signalling/worker_request.h"
#include "support/gst_test.h"
#include "support/sample_offers.h"

namespace webrtcupload {
namespace {

using test::http_exchange;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What an operator says, in the words of the one and of the other.
struct Settings {
  std::string address;
  std::string key;
  std::string origins;
};

// Each takes one upload at a time, from clients that need not connect, over as many connections as
// the other one: the defaults differ, since sessions of `serve` have memory of their own.
class Element {
 public:
  explicit Element(const Settings& settings) {
    std::string line =
        "webrtcuploadserver name=server port=0 connect-timeout=600000000000 "
        "max-connections=2";
    const auto add = [&](const char* property, const std::string& value) {
      if (!value.empty()) line += std::string(" ") + property + "=\"" + value + "\"";
    };
    add("address", settings.address);
    add("api-key", settings.key);
    add("allowed-origins", settings.origins);
    pipeline_ = test::parse_pipeline(line + " ! fakesink");
    EXPECT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto server = test::element_named(pipeline_, "server");
    guint port = 0;
    char* url = nullptr;
    g_object_get(server.get(), "port", &port, "url", &url, nullptr);
    const GCharPtr owned(url);
    port_ = static_cast<int>(port);
    url_ = url ? url : "";
  }
  ~Element() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
  Element(const Element&) = delete;
  Element& operator=(const Element&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  GstPtr<GstElement> pipeline_;
  int port_ = 0;
  std::string url_;
};

std::vector<std::string> options_of(const Settings& settings) {
  std::vector<std::string> options = {"--connect-timeout", "600", "--max-sessions", "1",
                                      "--max-connections", "2"};
  if (!settings.address.empty()) {
    options.insert(options.end(), {"--address", settings.address});
  }
  if (!settings.key.empty()) options.insert(options.end(), {"--api-key", settings.key});
  if (!settings.origins.empty()) {
    options.insert(options.end(), {"--allow-origin", settings.origins});
  }
  return options;
}

std::string request(const std::string& method, const std::string& path,
                    const std::string& headers = "", const std::string& body = "") {
  return method + " " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

std::string body() {
  WorkerRequest worker;
  worker.offer_sdp = crlf(kWebrtcbinOffer);
  return write_worker_request(worker);
}

// Without what is another every time.
std::string without(std::string reply, const std::string& header) {
  const std::size_t at = reply.find("\r\n" + header + ": ");
  if (at == std::string::npos) return reply;
  return reply.erase(at, reply.find("\r\n", at + 2) - at);
}

struct Row {
  const char* name;
  Settings settings;
  // All but the last are for what the last one meets.
  std::vector<std::string> requests;
  unsigned status;
  const char* holds;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

constexpr const char* kWorker = "/initialise_webrtc_worker";
constexpr const char* kKey = "Authorization: Bearer sesame\r\n";

std::vector<Row> rows() {
  const std::string offer = request("POST", kWorker, "", body());
  return {
      {"AsManyAsThereMayBe", {}, {offer, offer}, 429, "\r\nRetry-After: 5\r\n"},
      {"AsManyAsThereMayBeInWhip",
       {},
       {offer,
        request("POST", "/upload", "Content-Type: application/sdp\r\n", crlf(kWebrtcbinOffer))},
       429,
       "\"error_type\":\"TooManySessions\""},
      {"NoKey", {.key = "sesame"}, {offer}, 401, "\r\nWWW-Authenticate: Bearer\r\n"},
      {"AnotherKey",
       {.key = "sesame"},
       {request("POST", kWorker, "Authorization: Bearer sesam\r\n", body())},
       401,
       "The key is not accepted."},
      // Which comes first.
      {"AnotherKeyAndNoRequest",
       {.key = "sesame"},
       {request("POST", kWorker, "Authorization: Bearer sesam\r\n", "{")},
       401,
       "\r\nWWW-Authenticate: Bearer\r\n"},
      {"NoRequest", {.key = "sesame"}, {request("POST", kWorker, kKey, "{")}, 400, "BadRequest"},
      {"NoOffer", {}, {request("POST", kWorker, "", "{}")}, 422, "webrtc_offer"},
      {"NoOfferInWhip", {}, {request("POST", "/upload", "", "x")}, 415, "application/sdp"},
      {"NoSuchSession", {}, {request("GET", "/sessions/x")}, 404, "There is no such session."},
      {"NoSession", {}, {request("DELETE", "/sessions/")}, 404, "There is no such session."},
      {"ASessionWithoutAKey", {.key = "sesame"}, {request("GET", "/sessions/x")}, 401, "A key is"},
      {"AnotherPage",
       {.origins = "https://a.example"},
       {request("POST", kWorker, "Origin: https://b.example\r\n", body())},
       403,
       "Pages of https://b.example may not use this server."},
      {"AnyPage", {}, {request("GET", "/limits", "Origin: https://b.example\r\n")}, 403, "Vary"},
      {"Limits", {.key = "sesame"}, {request("GET", "/limits")}, 200, "\"keys_required\":true"},
      {"AnotherMethod", {}, {request("PUT", kWorker)}, 405, "\r\nAllow: POST, OPTIONS\r\n"},
  };
}

class Servers : public testing::TestWithParam<Row> {};

TEST_P(Servers, SayTheSame) {
  const Row& row = GetParam();
  test::Server program(options_of(row.settings), "fakesink");
  const Element element(row.settings);
  std::string one;
  std::string other;
  for (const std::string& each : row.requests) {
    one = http_exchange(program.port(), each);
    other = http_exchange(element.port(), each);
  }
  EXPECT_THAT(
      one, AllOf(StartsWith("HTTP/1.1 " + std::to_string(row.status) + " "), HasSubstr(row.holds)));
  EXPECT_EQ(without(one, "Date"), without(other, "Date"));
}

INSTANTIATE_TEST_SUITE_P(, Servers, testing::ValuesIn(rows()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ServersAddress, MayBeLocalhost) {
  for (const char* name : {"localhost", "LocalHost"}) {
    const Settings settings{.address = name};
    const test::Server program(options_of(settings), "fakesink");
    const Element element(settings);
    EXPECT_EQ(program.url(), "http://127.0.0.1:" + std::to_string(program.port()));
    EXPECT_EQ(element.url(), "http://127.0.0.1:" + std::to_string(element.port()));
  }
}

TEST(ServersAddress, MayBeNoOtherName) {
  for (const char* name : {"example.org", "localhost.example.org", "127.0.0.1:80", "localhost "}) {
    test::Process program({test::program(), "serve", "--port", "0", "--address", name});
    EXPECT_EQ(program.wait_for_exit(), 2) << name;
    EXPECT_TRUE(
        test::eventually([&] { return program.errors().find("--help") != std::string::npos; }));
    EXPECT_THAT(program.errors(), HasSubstr("\"" + std::string(name) + "\" is not an IP address"));

    const auto pipeline = test::parse_pipeline("webrtcuploadserver name=server port=0 ! fakesink");
    test::BusLog bus(pipeline.get());
    g_object_set(test::element_named(pipeline, "server").get(), "address", name, nullptr);
    EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = bus.wait(GST_MESSAGE_ERROR);
    ASSERT_TRUE(error);
    EXPECT_THAT(test::error_text(error.get()).message,
                HasSubstr("\"" + std::string(name) + "\" is not an IP address"));
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
}

}  // namespace
}  // namespace webrtcupload
