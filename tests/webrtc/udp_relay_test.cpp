// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The network that other tests send through does what they ask it for, and the same each time.

#include "support/udp_relay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "support/wait.h"

namespace webrtcupload::test {
namespace {

using std::chrono::milliseconds;

// A peer that sends and receives numbers.
class Endpoint {
 public:
  Endpoint() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Endpoint() { close(fd_); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  [[nodiscard]] std::string description() const {
    return "a=candidate:1 1 UDP 1 127.0.0.1 " + std::to_string(port_) + " typ host\r\n";
  }
  // To where a rewritten description says.
  void send(const std::string& to, int number) const {
    const std::string port = to.substr(to.find("127.0.0.1 ") + 10);
    const sockaddr_in address = loopback(static_cast<std::uint16_t>(std::stoi(port)));
    ASSERT_EQ(sendto(fd_, &number, sizeof number, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address),
              static_cast<ssize_t>(sizeof number));
  }
  // -1 if there is none by the deadline.
  [[nodiscard]] int receive(milliseconds deadline = kDeadline) const {
    pollfd waiting{fd_, POLLIN, 0};
    int number = -1;
    if (poll(&waiting, 1, static_cast<int>(deadline.count())) <= 0) return -1;
    return recv(fd_, &number, sizeof number, 0) == sizeof number ? number : -1;
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  int fd_;
  std::uint16_t port_ = 0;
};

// Two endpoints that know each other through a relay.
class Pair {
 public:
  explicit Pair(const UdpRelay::Options& options) : relay(options) {
    to_answerer_ = relay.rewrite_answer(answerer.description());
    to_offerer_ = relay.rewrite_offer(offerer.description());
  }

  void send(int number) const { offerer.send(to_answerer_, number); }
  void send_back(int number) const { answerer.send(to_offerer_, number); }

  // The numbers from 0 on, as they arrive at the other side.
  [[nodiscard]] std::vector<int> send_all(int count) const {
    for (int i = 0; i < count; ++i) send(i);
    // The relay has dealt with all of them, and what it forwarded waits for its receiver.
    const auto forwarded = [this] {
      const auto counts = relay.counts();
      return counts.forwarded + counts.lost + counts.overflow + counts.blacked_out -
             counts.duplicated;
    };
    EXPECT_TRUE(eventually([&] { return forwarded() == static_cast<std::uint64_t>(count); }));
    std::vector<int> numbers;
    for (auto left = relay.counts().forwarded; left > 0; --left) {
      numbers.push_back(answerer.receive());
    }
    return numbers;
  }

  UdpRelay relay;
  Endpoint offerer;
  Endpoint answerer;

 private:
  std::string to_answerer_;
  std::string to_offerer_;
};

// Few enough for the receive buffer of a socket.
constexpr int kPackets = 150;

std::vector<int> all_numbers() {
  std::vector<int> numbers(kPackets);
  for (int i = 0; i < kPackets; ++i) numbers[static_cast<std::size_t>(i)] = i;
  return numbers;
}

TEST(UdpRelay, PassesEverythingOnInOrderBothWays) {
  const Pair pair({});
  EXPECT_EQ(pair.send_all(kPackets), all_numbers());
  pair.send_back(7);
  EXPECT_EQ(pair.offerer.receive(), 7);
}

TEST(UdpRelay, TheSeedAloneSaysWhatBecomesOfEachPacket) {
  const auto received = [](std::uint32_t seed, double duplication) {
    const Pair pair({.loss = 0.2, .duplication = duplication, .seed = seed});
    return pair.send_all(kPackets);
  };
  const auto first = received(5, 0.1);
  EXPECT_EQ(received(5, 0.1), first);
  EXPECT_NE(received(6, 0.1), first);
  // One fault does not change another: the same packets are lost.
  auto once = first;
  once.erase(std::unique(once.begin(), once.end()), once.end());
  EXPECT_EQ(received(5, 0), once);
}

TEST(UdpRelay, LosesAboutAsManyAsItIsTold) {
  const Pair pair({.loss = 0.2});
  const auto numbers = pair.send_all(kPackets);
  EXPECT_EQ(numbers.size() + pair.relay.counts().lost, static_cast<std::size_t>(kPackets));
  EXPECT_GT(pair.relay.counts().lost, kPackets / 10U);
  EXPECT_LT(pair.relay.counts().lost, kPackets / 10U * 3);
}

TEST(UdpRelay, DeliversSomeTwice) {
  const Pair pair({.duplication = 0.2});
  auto numbers = pair.send_all(kPackets);
  EXPECT_EQ(numbers.size(), kPackets + pair.relay.counts().duplicated);
  EXPECT_GT(pair.relay.counts().duplicated, kPackets / 10U);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  EXPECT_EQ(numbers, all_numbers());
}

TEST(UdpRelay, ChangesTheOrder) {
  const Pair pair({.reordering = 0.2, .detour = milliseconds(50)});
  auto numbers = pair.send_all(kPackets);
  EXPECT_GT(pair.relay.counts().overtaken, 0U);
  EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, all_numbers());
}

TEST(UdpRelay, ABlackoutTakesWhatComesAndWhatIsUnderWay) {
  Pair pair({.delay = milliseconds(1000)});
  pair.send(1);
  EXPECT_TRUE(eventually([&] { return pair.relay.counts().came == 1; }));
  pair.relay.set_blackout(true);
  pair.send(2);
  pair.send_back(3);
  EXPECT_TRUE(eventually([&] { return pair.relay.counts().blacked_out == 3; }));
  pair.relay.set_blackout(false);
  pair.send(4);
  EXPECT_EQ(pair.answerer.receive(), 4);
  EXPECT_EQ(pair.relay.counts().forwarded, 1U);
}

}  // namespace
}  // namespace webrtcupload::test
