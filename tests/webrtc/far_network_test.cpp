// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The network that benchmarks send through takes its time, loses what it is told to lose, and
// nothing else.

#include "support/far_network.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/wait.h"

namespace webrtcupload::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

sockaddr_in address_of(const char* address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

// A socket at one end, at which numbers come and go.
class Endpoint {
 public:
  Endpoint(const std::vector<std::string>& command, const char* address) {
    // "--net=FILE": what nsenter is told. A thread has namespaces of its own.
    const std::string space = command.at(1).substr(6);
    std::thread([&] {
      const int fd = open(space.c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(fd, CLONE_NEWNET), 0);
      close(fd);
      fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }).join();
    sockaddr_in own = address_of(address, 0);
    socklen_t size = sizeof own;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size), 0);
    address_ = own;
  }
  ~Endpoint() { close(fd_); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void send(const Endpoint& to, int number) const {
    ASSERT_EQ(sendto(fd_, &number, sizeof number, 0,
                     reinterpret_cast<const sockaddr*>(&to.address_), sizeof to.address_),
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
  int fd_ = -1;
  sockaddr_in address_{};
};

class FarNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root makes network namespaces";
  }
  void make(const FarNetwork::Options& options) {
    std::string problem;
    network_ = FarNetwork::create(options, problem);
    ASSERT_TRUE(network_) << problem;
    near_ = std::make_unique<Endpoint>(network_->near(), FarNetwork::kNearAddress);
    far_ = std::make_unique<Endpoint>(network_->far(), FarNetwork::kFarAddress);
  }

  std::unique_ptr<FarNetwork> network_;
  std::unique_ptr<Endpoint> near_;
  std::unique_ptr<Endpoint> far_;
};

TEST_F(FarNetworkTest, EachWayTakesItsTime) {
  make({.delay = milliseconds(30)});
  const auto begin = Clock::now();
  near_->send(*far_, 1);
  EXPECT_EQ(far_->receive(), 1);
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
  far_->send(*near_, 2);
  EXPECT_EQ(near_->receive(), 2);
  EXPECT_GE(Clock::now() - begin, milliseconds(60));
}

TEST_F(FarNetworkTest, LosesWhatItIsToldToAndNothingElse) {
  make({.loss = 0.5, .seed = 7});
  // As many as a socket keeps that nobody reads yet.
  constexpr int kPackets = 200;
  for (int i = 0; i < kPackets; ++i) near_->send(*far_, i);
  ASSERT_TRUE(eventually([&] {
    const auto counts = network_->counts();
    return counts.forwarded + counts.lost == kPackets;
  }));
  const auto counts = network_->counts();
  // Six standard deviations.
  EXPECT_GT(counts.lost, 55u);
  EXPECT_LT(counts.lost, 145u);
  EXPECT_EQ(counts.dropped, 0u);
  // In their order.
  int last = -1;
  for (std::uint64_t i = 0; i < counts.forwarded; ++i) {
    const int number = far_->receive();
    ASSERT_GT(number, last);
    last = number;
  }
}

TEST_F(FarNetworkTest, WhatIsCutStaysSoAndNewOnesPass) {
  make({});
  near_->send(*far_, 1);
  ASSERT_EQ(far_->receive(), 1);
  network_->cut_connections();
  far_->send(*near_, 2);
  near_->send(*far_, 3);
  ASSERT_TRUE(eventually([&] { return network_->counts().cut == 2; }));
  const Endpoint other(network_->near(), FarNetwork::kNearAddress);
  other.send(*far_, 4);
  EXPECT_EQ(far_->receive(), 4);
}

}  // namespace
}  // namespace webrtcupload::test
