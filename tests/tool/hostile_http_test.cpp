// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` against HTTP clients that want to do harm: requests that a proxy could read
// in another way, and more connections than there are places.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "json/json.h"
#include "server.h"
#include "support/sample_offers.h"

namespace webrtcupload {
namespace {

using test::eventually;
using test::http_exchange;
using test::post;
using test::RawHttp;
using test::Server;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Clock = std::chrono::steady_clock;

// What a good client waits at most, on a busy machine too.
constexpr std::chrono::seconds kSoon{20};

std::string worker_request() {
  const std::string offer =
      JsonWriter().set("sdp", crlf(kWebrtcbinOffer)).set("type", "offer").text();
  return "{\"webrtc_offer\":" + offer + "}";
}

class HostileHttp : public ::testing::Test {
 protected:
  [[nodiscard]] std::size_t sessions() const {
    std::size_t count = 0;
    for (const auto& event : server_.events()) count += event.event == "session" ? 1 : 0;
    return count;
  }
  [[nodiscard]] std::size_t descriptors() const {
    return test::descriptors_of(server_.process().pid());
  }
  // A good request, and how long it took.
  void expect_soon(const std::string& why) const {
    const auto begin = Clock::now();
    const std::string reply =
        http_exchange(server_.port(), "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200")) << why;
    EXPECT_LT(Clock::now() - begin, kSoon) << why;
  }

  mutable Server server_{{"--connect-timeout", "600"}, "fakesink"};
};

struct Smuggled {
  const char* what;
  std::string request;
  const char* status;
  const char* says = "";
};

// Each holds a good request for a session where another reader would find it. None makes one.
TEST_F(HostileHttp, NoRequestIsCarriedOutAsAnotherOne) {
  const std::string hidden = post(worker_request());
  const std::string begin =
      "POST /initialise_webrtc_worker HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  const std::string length = "Content-Length: " + std::to_string(hidden.size()) + "\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::vector<Smuggled> attempts{
      {"behind a request", "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, "HTTP/1.1 200"},
      {"behind a body", begin + "Content-Length: 2\r\n\r\n{}" + hidden, "HTTP/1.1 422"},
      {"behind a wish to keep the connection",
       "GET /limits HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" + hidden,
       "HTTP/1.1 200"},
      {"in a body", begin + length + "\r\n" + hidden, "HTTP/1.1 400"},
      {"behind chunks, in a body", begin + length + chunked + "\r\n0\r\n\r\n" + hidden,
       "HTTP/1.1 400", "Content-Length"},
      {"in a body, behind chunks", begin + chunked + length + "\r\n0\r\n\r\n" + hidden,
       "HTTP/1.1 400", "Content-Length"},
      {"in the longer body", begin + "Content-Length: 0\r\n" + length + "\r\n" + hidden,
       "HTTP/1.1 400", "Content-Length"},
      {"behind the shorter body", begin + length + "Content-Length: 0\r\n\r\n" + hidden,
       "HTTP/1.1 400", "Content-Length"},
      {"behind a length that is hardly one", begin + "Content-Length : 4\r\n\r\n" + hidden,
       "HTTP/1.1 400"},
      {"behind an encoding that nobody knows",
       begin + "Transfer-Encoding: identity\r\n\r\n" + hidden, "HTTP/1.1 501"},
      {"behind a chunk that is longer than it says",
       begin + chunked + "\r\n2\r\n{}x\r\n0\r\n\r\n" + hidden, "HTTP/1.1 400"},
      {"behind a header that is cut by a line feed", begin + "X: y\n\n" + hidden, "HTTP/1.1 400"},
      {"behind 10,000 headers",
       [&] {
         std::string many = begin;
         for (int i = 0; i < 10000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
         return many + "\r\n" + hidden;
       }(),
       "HTTP/1.1 431"},
      {"behind a header of 300,000 bytes",
       begin + "X: " + std::string(300000, 'y') + "\r\n\r\n" + hidden, "HTTP/1.1 431"},
      {"behind a body of 300,000 bytes",
       begin + "Content-Length: 300000\r\n\r\n" + std::string(300000, ' ') + hidden,
       "HTTP/1.1 413"},
  };
  const std::size_t before = descriptors();
  for (const Smuggled& attempt : attempts) {
    const std::string reply = http_exchange(server_.port(), attempt.request);
    EXPECT_THAT(reply, StartsWith(attempt.status)) << attempt.what;
    EXPECT_THAT(reply, HasSubstr(attempt.says)) << attempt.what;
    // One reply, and the end.
    EXPECT_EQ(reply.find("HTTP/1.1", 1), std::string::npos) << attempt.what << ": " << reply;
    EXPECT_THAT(reply, Not(HasSubstr("<no end>"))) << attempt.what;
  }
  expect_soon("after all of it");
  EXPECT_EQ(sessions(), 0U);
  EXPECT_TRUE(test::children_of(server_.process().pid()).empty());
  EXPECT_TRUE(eventually([&] { return descriptors() <= before; })) << descriptors();
  // What was hidden is a good one.
  EXPECT_THAT(http_exchange(server_.port(), hidden), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(eventually([&] { return sessions() == 1; }));
}

// As many connections as the test may have, each of which says a part of a request and then nothing
// more, or a byte now and then. They are begun without waiting for the server.
class Flood {
 public:
  explicit Flood(int port) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  ~Flood() {
    for (const int fd : sockets_) close(fd);
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  [[nodiscard]] bool add() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    sockets_.push_back(fd);
    const int result = connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_);
    return result == 0 || errno == EINPROGRESS;
  }
  // Of all that are connected by now.
  void say(const std::string& part) const {
    for (const int fd : sockets_) send(fd, part.data(), part.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  [[nodiscard]] std::size_t size() const { return sockets_.size(); }
  // How many the server has let go.
  [[nodiscard]] std::size_t ended() const {
    std::size_t count = 0;
    for (const int fd : sockets_) {
      char bytes[512];
      ssize_t n = 1;
      while (n > 0) n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
      count += n == 0 || errno != EAGAIN ? 1 : 0;
    }
    return count;
  }

 private:
  sockaddr_in address_{};
  std::vector<int> sockets_;
};

std::size_t connections_that_may_be() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  constexpr std::size_t kWanted = 10'000;
  constexpr std::size_t kOthers = 200;
  return std::min<std::size_t>(kWanted, limit.rlim_cur - kOthers);
}

TEST_F(HostileHttp, TenThousandConnectionsKeepNobodyOut) {
  const std::size_t most = connections_that_may_be();
  std::cout << "[ connections ] " << most << std::endl;
  const std::size_t before = descriptors();
  std::size_t peak = 0;
  {
    Flood flood(server_.port());
    const std::string part = post(worker_request()).substr(0, 300);
    while (flood.size() < most) {
      ASSERT_TRUE(flood.add()) << flood.size() << ": " << std::strerror(errno);
      if (flood.size() % 1000 != 0) continue;
      flood.say(flood.size() % 2000 == 0 ? part.substr(0, 20) : part);
      expect_soon("with " + std::to_string(flood.size()) + " connections");
      peak = std::max(peak, descriptors());
    }
    flood.say("x");
    expect_soon("with all of them");
    peak = std::max(peak, descriptors());
  }
  std::cout << "[ descriptors ] " << before << " before, " << peak << " at most" << std::endl;
  EXPECT_LT(peak, before + 600);
  EXPECT_TRUE(eventually([&] { return descriptors() <= before; })) << descriptors();
  EXPECT_EQ(sessions(), 0U);
  EXPECT_THAT(http_exchange(server_.port(), post(worker_request())), StartsWith("HTTP/1.1 200"));
}

// A byte now and then does not make a request longer than it may take; nor do those that fill
// every place and go on, one byte each.
TEST_F(HostileHttp, SlowRequestsEndInTime) {
  constexpr std::size_t kSlow = 300;
  const std::string request = post(worker_request());
  Flood flood(server_.port());
  for (std::size_t i = 0; i < kSlow; ++i) ASSERT_TRUE(flood.add());
  const auto begin = Clock::now();
  std::size_t at = 0;
  EXPECT_TRUE(eventually([&] {
    if (at + 1 < request.size()) flood.say(request.substr(at++, 1));
    if (at % 32 == 0) expect_soon("beside slow ones");
    return flood.ended() == kSlow;
  }));
  // 10 s, and half a second to read the reply.
  EXPECT_GT(Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_LT(at, request.size());
  EXPECT_EQ(sessions(), 0U);
}

}  // namespace
}  // namespace webrtcupload
